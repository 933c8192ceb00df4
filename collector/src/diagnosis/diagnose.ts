/** From an incident and what the collector knows of its device and the others beside it, to ranked causes. */
import type { Incident } from '../alerts/incident.js';
import type { Change } from '../changes/change.js';
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
/** So many at one site, beyond the gateway and what is near, are no chance. */
const crowd = 3;
/** So well the clocks of two gateways agree, ms: as if rows of others came no more often. */
const clocksAgreeMs = 5000;
/** Devices of a gateway that are looked at besides the incident's own: those in trouble, then the others. */
const mostOthers = 50;

interface Named {
  readonly gateway: string;
  readonly device: string;
}

/** Of a device: which others are on its machine or line, or along what feeds it. Undefined: only its gateway is known. */
export type Surroundings = (device: Named) => ((other: Named) => boolean) | undefined;

/**
 * The same rows give the same diagnosis.
 * @param incidents  those that are known, open or not
 * @param changes  before it, newest first
 * @returns undefined where no row of the device is at hand
 */
export function diagnose(
  catalogue: readonly Cause[],
  live: Live,
  incident: Incident,
  incidents: readonly Incident[],
  surroundings?: Surroundings,
  changes: readonly Change[] = [],
): Diagnosis | undefined {
  const own = live.get(incident.gateway, incident.device);
  if (!own || own.size === 0) return undefined;
  const facts = { ...factsOf(own, live, incident, incidents, surroundings?.(incident)), changes };
  // Of a long incident the history has forgotten what was before it.
  if (incident.diagnosis && facts.signs.every(isPastUnknown)) return undefined;
  return explain(rank(catalogue, facts), facts, own.last().time);
}

function isPastUnknown({ usual, since }: Sign): boolean {
  return usual === null || since === 'training';
}

/** Whether they may be one event by when they began. */
export function areSimultaneous(a: Pick<Incident, 'firstMs'>, b: Pick<Incident, 'firstMs'>): boolean {
  return Math.abs(a.firstMs - b.firstMs) <= togetherMs;
}

function factsOf(
  own: History,
  live: Live,
  incident: Incident,
  incidents: readonly Incident[],
  isAround: ((other: Named) => boolean) | undefined,
): Omit<Facts, 'changes'> {
  const { gateway, device, deviceType, firstMs } = incident;
  const isOwn = (other: Named) => other.gateway === incident.gateway;
  const isNear = (other: Named) => isOwn(other) || isAround?.(other) === true;
  const { together, farOff } = companyOf(incident, incidents, isNear);
  const others = [...(isAround ? live.each() : live.of(incident.gateway))]
    .filter(history => history !== own && isNear(history))
    .map(history => ({ history, name: labelOf(history, incident) }))
    .sort(
      (a, b) =>
        Number(together.has(b.name)) - Number(together.has(a.name)) ||
        Number(isOwn(b.history)) - Number(isOwn(a.history)) ||
        (a.name < b.name ? -1 : 1),
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
    others: others.map(({ history, name }) => new OtherDevice(history, name, firstMs)),
    company: together.size,
    farOff,
    gateway,
    sinceMs: firstMs,
  };
}

/** Over by then, and another event. */
function isBefore({ id, closedMs, partOf, ...other }: Incident, incident: Incident): boolean {
  if (closedMs === null || closedMs >= incident.firstMs || id === incident.id) return false;
  return partOf !== incident.id && !areSimultaneous(other, incident);
}

/** Devices in trouble since about then: near it, or so many of its site that it is no chance. */
function companyOf(incident: Incident, incidents: readonly Incident[], isNear: (other: Named) => boolean) {
  const [near, atSite] = [new Set<string>(), new Set<string>()];
  let farOff = false;
  for (const other of incidents) {
    const isOwn = other.gateway === incident.gateway && other.device === incident.device;
    if (isOwn || !areSimultaneous(other, incident)) continue;
    if (isNear(other)) {
      near.add(labelOf(other, incident));
      farOff ||= other.gateway !== incident.gateway;
    } else if (incident.site !== null && other.site === incident.site && !ofNoMachine.has(other.detector))
      atSite.add(labelOf(other, incident));
  }
  if (atSite.size < crowd) return { together: near, farOff };
  return { together: new Set([...near, ...atSite]), farOff: true };
}

/** Told of the pipeline and of models. */
const ofNoMachine: ReadonlySet<string> = new Set(['drift', 'pipeline']);

/** Two gateways may have devices of one name. */
function labelOf({ gateway, device }: Named, incident: Incident): string {
  return gateway === incident.gateway ? device : `${gateway}/${device}`;
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
  readonly deviceType: string;
  #seen: { readonly signs: readonly Sign[]; readonly intervalMs: number } | undefined;

  constructor(
    private readonly history: History,
    readonly device: string,
    private readonly sinceMs: number,
  ) {
    this.deviceType = history.schema.type;
  }

  get signs(): readonly Sign[] {
    return this.#compared().signs;
  }

  get intervalMs(): number {
    return this.#compared().intervalMs;
  }

  #compared() {
    const { history, device, sinceMs } = this;
    if (!this.#seen) {
      const rows = rowsIn(history, sinceMs);
      const leastMs = device === history.device ? 0 : clocksAgreeMs;
      this.#seen = { signs: signsOf(rows, sinceMs), intervalMs: Math.max(intervalOf(rows), leastMs) };
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
