/** What the chart of a mail shows: the main channels around the beginning of the incident, from the live history. */
import { mainChannels } from '../alerts/channels.js';
import type { Incident, IncidentChannel } from '../alerts/incident.js';
import type { History } from '../live-history.js';

/** What has to be looked up once the mail is stored. */
export interface PlotSpec {
  readonly gateway: string;
  readonly device: string;
  /** When the incident began and ended, or was last seen, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly channels: readonly Pick<IncidentChannel, 'field' | 'unit' | 'expected' | 'limit'>[];
}

export interface Panel {
  readonly name: string;
  readonly unit: string | null;
  /** Usual range. */
  readonly expected: readonly [number, number] | undefined;
  /** Of a rule. */
  readonly limit: number | undefined;
  /** One for each time; null where there was none. */
  readonly values: readonly (number | null)[];
}

export interface Plot {
  readonly firstMs: number;
  readonly time: readonly number[];
  /** Whether the row was flagged. */
  readonly flagged: readonly boolean[];
  readonly panels: readonly Panel[];
}

const mostPanels = 3;
const maxPoints = 500;
/** Shown before the beginning, at the least: so long, or so many rows. */
const beforeMs = 120_000;
const beforeRows = 60;
/** The history goes back no farther. */
const historyMs = 3_600_000;

/** Undefined where no channel is named. */
export function plotSpec(incident: Incident): PlotSpec | undefined {
  const { gateway, device, firstMs, lastMs, closedMs, channels } = incident;
  const shown = mainChannels(channels).slice(0, mostPanels);
  if (shown.length === 0) return undefined;
  const picked = shown.map(({ field, unit, expected, limit, of }) => ({
    field,
    unit,
    ...(expected && { expected }),
    // A rule's limit on a mean or a rate does not stand on the channel's own axis.
    ...(limit !== undefined && of === undefined && { limit }),
  }));
  return { gateway, device, firstMs, lastMs: closedMs ?? lastMs, channels: picked };
}

/** Undefined where the history has too little to draw. */
export function plotOf(spec: PlotSpec, history: History | undefined): Plot | undefined {
  if (!history) return undefined;
  const { gateway, device, firstMs, lastMs, channels } = spec;
  const known = channels.filter(({ field }) => history.schema.fields.some(({ name }) => name === field));
  const fields = known.map(({ field }) => field);
  const query = { gateway, device, fields, maxPoints };
  const fromMs = Math.max(beginOf(spec, history), lastMs - historyMs);
  const { time, values, anomaly } = history.series({ ...query, fromMs, toMs: lastMs });
  if (time.length < 2 || known.length === 0) return undefined;
  const panels = known.map(({ field, unit, expected, limit }) => ({
    name: field,
    unit,
    expected,
    limit,
    values: values[field] ?? [],
  }));
  return { firstMs, time, flagged: anomaly, panels };
}

/** The time of the first row to be shown: slow devices need a longer look back. */
function beginOf({ gateway, device, firstMs, lastMs }: PlotSpec, history: History): number {
  const fromMs = firstMs - historyMs;
  const query = { gateway, device, fields: [], maxPoints: Number.POSITIVE_INFINITY };
  const { time } = history.series({ ...query, fromMs, toMs: firstMs });
  const lastsMs = Math.max(beforeMs, (lastMs - firstMs) / 2);
  return Math.min(firstMs - lastsMs, time.at(-beforeRows) ?? time[0] ?? firstMs);
}
