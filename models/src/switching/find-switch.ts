import type { RecordBatch } from '@edgeward/shared/contracts';
import { quantile, rounded, sortedFinite } from '../statistics.js';
import type { Switching } from './switching-model.js';

/** The channel that tells whether a machine is on, and for how long it usually is on and off. */
export interface FoundSwitch {
  readonly by: Switching['by'];
  /** Median length of a phase, ms: off, on. */
  readonly phaseMs: readonly [off: number, on: number];
  /** Phases that the record holds: off, on. */
  readonly phases: readonly [off: number, on: number];
}

/** Share of a channel's variance that lies between its two levels; noise around one has 0.64, an even spread 0.75. */
const leastApart = 0.9;
/** Share of the rows that each level has at least. */
const leastShare = 0.03;
/** Times that the record has seen it go on or off. */
const leastSwitches = 60;
/** Rows of a usual phase: of shorter ones nothing settled would be left. */
const leastPhaseRows = 10;
/** Share of another channel's variance that the state explains: a door that opens now and then is no switch. */
const leastExplained = 0.1;
/** Enough to know levels and variances. */
const enoughRows = 20_000;

/**
 * The channel whose two clear levels say most about the others: the current of a compressor, a flag `running`.
 * @param columns  per field, [n]; NaN = missing
 * @returns        undefined where the machine is not switched, or not often enough to learn from
 */
export function findSwitch(
  batch: RecordBatch,
  fields: readonly string[],
  columns: readonly Float64Array[],
): FoundSwitch | undefined {
  const stride = Math.max(1, Math.floor(batch.time.length / enoughRows));
  const thin = columns.map(column => column.filter((_, r) => r % stride === 0));
  let best: { found: FoundSwitch; explained: number } | undefined;
  for (const [c, field] of fields.entries()) {
    const levels = twoLevels(sortedFinite(thin[c]!));
    if (!levels) continue;
    const explained = mostExplained(thin, c, (levels.off + levels.on) / 2);
    if (explained < leastExplained || explained <= (best?.explained ?? 0)) continue;
    const phases = phasesOf(batch, columns[c]!, levels);
    if (phases) best = { found: { by: { field, ...levels }, ...phases }, explained };
  }
  return best?.found;
}

/** Below `off` and above `on`, a third of the way from either level to the other (levels by Otsu 1979). */
function twoLevels(sorted: Float64Array): { off: number; on: number } | undefined {
  const n = sorted.length;
  const total = sorted.reduce((sum, value) => sum + value, 0);
  const squares = sorted.reduce((sum, value) => sum + (value - total / n) ** 2, 0);
  let [most, at, low, sum] = [0, 0, 0, 0];
  for (let i = 1; i < n; i++) {
    sum += sorted[i - 1]!;
    if (sorted[i] === sorted[i - 1]) continue;
    const between = (i * (n - i) * (sum / i - (total - sum) / (n - i)) ** 2) / n;
    if (between > most) [most, at, low] = [between, i, sum];
  }
  const share = at / n;
  if (!(squares > 0) || most < leastApart * squares || share < leastShare || share > 1 - leastShare)
    return undefined;
  const [off, on] = [low / at, (total - low) / (n - at)];
  return { off: rounded(off + (on - off) / 3), on: rounded(on - (on - off) / 3) };
}

/** Share of the variance that the state explains of the channel of which it explains most. */
function mostExplained(columns: readonly Float64Array[], by: number, threshold: number): number {
  const shares = columns.map((column, c) => (c === by ? 0 : explainedOf(column, columns[by]!, threshold)));
  return Math.max(...shares);
}

function explainedOf(column: Float64Array, by: Float64Array, threshold: number): number {
  const groups = [0, 1].map(state =>
    column.filter((value, r) => !Number.isNaN(value) && Number(by[r]! > threshold) === state),
  );
  const means = groups.map(group => group.reduce((sum, value) => sum + value, 0) / group.length);
  const count = groups[0]!.length + groups[1]!.length;
  const mean = groups.reduce((sum, group, g) => sum + means[g]! * group.length, 0) / count;
  const between = groups.reduce((sum, group, g) => sum + group.length * (means[g]! - mean) ** 2, 0);
  const whole = groups.reduce((sum, group) => sum + group.reduce((s, v) => s + (v - mean) ** 2, 0), 0);
  // NaN, so 0, of a channel that is there in one state only.
  return whole > 0 ? between / whole : 0;
}

/** Their number and median length; undefined where there are too few, or they are too short. */
function phasesOf(
  batch: RecordBatch,
  column: Float64Array,
  { off, on }: { readonly off: number; readonly on: number },
): Omit<FoundSwitch, 'by'> | undefined {
  const lengths: [number[], number[]] = [[], []];
  const rows: [number[], number[]] = [[], []];
  const devices = batch.schema.devices.map(() => ({ state: -1, sinceMs: Number.NaN, rows: 0 }));
  for (let r = 0; r < column.length; r++) {
    const device = devices[batch.device[r]!]!;
    const value = column[r]!;
    const state = value < off ? 0 : value > on ? 1 : device.state;
    device.rows += 1;
    if (state === device.state) continue;
    // Of the first phase of all nobody knows when it began.
    if (device.state >= 0 && !Number.isNaN(device.sinceMs)) {
      lengths[device.state]!.push(batch.time[r]! - device.sinceMs);
      rows[device.state]!.push(device.rows);
    }
    device.sinceMs = device.state < 0 ? Number.NaN : batch.time[r]!;
    device.state = state;
    device.rows = 0;
  }
  const median = (all: readonly number[]) => quantile(Float64Array.from(all).sort(), 0.5);
  if (lengths[0].length + lengths[1].length < leastSwitches) return undefined;
  if (rows.some(all => all.length === 0 || median(all) < leastPhaseRows)) return undefined;
  return {
    phaseMs: [median(lengths[0]), median(lengths[1])],
    phases: [lengths[0].length, lengths[1].length],
  };
}
