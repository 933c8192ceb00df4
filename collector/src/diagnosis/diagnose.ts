/** From an incident and what the collector knows of its device and the others beside it, to ranked causes. */
import type { Incident } from '../alerts/incident.js';
import type { Live } from '../live.js';
import type { History } from '../live-history.js';
import { alikeTo } from './alike.js';
import type { Cause } from './catalogue.js';
import type { Diagnosis } from './diagnosis.js';
import { explain } from './explain.js';
import { type DeviceSigns, type Facts, rank, traitsOf } from './rank.js';
import { intervalOf, type Rows, type Sign, signsOf } from './signs.js';

/** Trouble on other devices that began so close to it may be the same. */
const togetherMs = 120_000;
/** What channels showed before is looked for so far back, or for so many rows of slow devices. */
const pastMs = 3_600_000;
const pastRows = 600;
/** Devices of a gateway that are looked at besides the incident's own: those in trouble, then the others. */
const mostOthers = 50;

/**
 * The same rows give the same diagnosis.
 * @param incidents  those that are known, open or not
 * @returns undefined where no row of the device is at hand
 */
export function diagnose(
  catalogue: readonly Cause[],
  live: Live,
  incident: Incident,
  incidents: readonly Incident[],
): Diagnosis | undefined {
  const own = live.get(incident.gateway, incident.device);
  if (!own || own.size === 0) return undefined;
  const facts = factsOf(own, live, incident, incidents);
  // Of a long incident the history has forgotten what was before it.
  if (incident.diagnosis && facts.signs.every(isPastUnknown)) return undefined;
  return explain(rank(catalogue, facts), facts, own.last().time);
}

function isPastUnknown({ usual, since }: Sign): boolean {
  return usual === null || since === 'training';
}

/** Whether they may be one event: at the same gateway, begun about then. */
export function isTogether(
  a: Pick<Incident, 'gateway' | 'firstMs'>,
  b: Pick<Incident, 'gateway' | 'firstMs'>,
): boolean {
  return a.gateway === b.gateway && Math.abs(a.firstMs - b.firstMs) <= togetherMs;
}

function factsOf(own: History, live: Live, incident: Incident, incidents: readonly Incident[]): Facts {
  const { gateway, device, deviceType, firstMs } = incident;
  const together = new Set(
    incidents
      .filter(other => isTogether(other, incident))
      .map(other => other.device)
      .filter(name => name !== device),
  );
  const others = live
    .of(gateway)
    .filter(history => history.device !== device)
    .sort(
      (a, b) =>
        Number(together.has(b.device)) - Number(together.has(a.device)) || (a.device < b.device ? -1 : 1),
    )
    .slice(0, mostOthers);
  const rows = rowsIn(own, firstMs);
  const shown = {
    signs: signsOf(rows, firstMs, trainedIn(incident)),
    blamed: incident.channels,
    marked: markedIn(incident),
  };
  return {
    device,
    deviceType,
    ...shown,
    intervalMs: intervalOf(rows),
    alike: alikeTo(
      incident,
      traitsOf(shown),
      incidents.filter(other => isBefore(other, incident)),
    ),
    others: others.map(history => new OtherDevice(history, firstMs)),
    company: together.size,
  };
}

/** Over by then, and another event. */
function isBefore({ id, closedMs, partOf, ...other }: Incident, incident: Incident): boolean {
  if (closedMs === null || closedMs >= incident.firstMs || id === incident.id) return false;
  return partOf !== incident.id && !isTogether(other, incident);
}

function trainedIn({ channels }: Incident): Map<string, readonly [number, number]> {
  return new Map(channels.flatMap(({ field, of, expected }) => (expected && !of ? [[field, expected]] : [])));
}

function markedIn({ detectors }: Incident): Facts['marked'] {
  const quality = detectors.filter(({ detector }) => detector === 'quality');
  return Object.fromEntries(
    quality.map(({ source, channels }) => [source, channels.map(({ field }) => field)]),
  );
}

/** Compared only if a symptom asks for a device of its type. */
class OtherDevice implements DeviceSigns {
  readonly device: string;
  readonly deviceType: string;
  #seen: { readonly signs: readonly Sign[]; readonly intervalMs: number } | undefined;

  constructor(
    private readonly history: History,
    private readonly sinceMs: number,
  ) {
    this.device = history.device;
    this.deviceType = history.schema.type;
  }

  get signs(): readonly Sign[] {
    return this.#compared().signs;
  }

  get intervalMs(): number {
    return this.#compared().intervalMs;
  }

  #compared() {
    const { history, sinceMs } = this;
    if (!this.#seen) {
      const rows = rowsIn(history, sinceMs);
      this.#seen = { signs: signsOf(rows, sinceMs), intervalMs: intervalOf(rows) };
    }
    return this.#seen;
  }
}

function rowsIn(history: History, sinceMs: number): Rows {
  const fields = history.schema.fields.filter(({ kind }) => kind !== 'string');
  const { time, values } = history.series({
    gateway: history.gateway,
    device: history.device,
    fields: fields.map(({ name }) => name),
    fromMs: Number.MIN_SAFE_INTEGER,
    toMs: Number.MAX_SAFE_INTEGER,
    maxPoints: Number.MAX_SAFE_INTEGER,
  });
  const onset = time.findIndex(timeMs => timeMs >= sinceMs);
  const before = onset < 0 ? time.length : onset;
  const recent = time.findIndex(timeMs => timeMs >= sinceMs - pastMs);
  const from = Math.max(0, Math.min(recent, before - pastRows));
  return {
    time: time.slice(from),
    channels: fields.map(({ name, unit, kind, min, max }) => ({
      field: name,
      unit: unit ?? null,
      isSwitch: kind === 'bool',
      span: min === undefined || max === undefined ? undefined : max - min,
      values: values[name]!.slice(from),
    })),
  };
}
