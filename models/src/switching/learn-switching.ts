import type { RecordBatch } from '@edgeward/shared/contracts';
import { usableColumns } from '../channels.js';
import { solve } from '../relations.js';
import { Moments, quantile, rounded, sortedFinite } from '../statistics.js';
import { medianStepMs } from '../training-rows.js';
import { findSwitch } from './find-switch.js';
import { StateLimits } from './state-limits.js';
import { type State, SwitchedDevice } from './switched-device.js';
import type { Switching, SwitchState } from './switching-model.js';

/** Each is judged by all others, row by row: of more, too many numbers for a card, and too much work. */
const mostFields = 64;
/** Shares of a usual phase that are not looked at, and that the means go back. */
const [settleShare, meanShare] = [1 / 8, 1 / 4];
/** A device silent for so many of its usual steps starts anew. */
const gapSteps = 30;
/** Means a state is learned from at least, taken so many a time constant: they change slowly. */
const [leastMeans, meansATime] = [200, 2];
/** Of more, evenly chosen ones are enough to know some dozen weights and limits. */
const mostMeans = 50_000;
/** Steadies the regression where channels say the same thing, in units of a standardised channel. */
const ridge = 1e-3;
/**
 * Limits lie so much farther out than the means of the record, in distances from their middle: more where it holds few
 * phases, for the means of one phase hang together, and a few phases have not seen all weather.
 */
const marginOf = (phases: number) => 1 + 16 / Math.sqrt(phases);
/** No limits are closer than this share of what the channel varies by over both states: transmitters age. */
const leastWidth = 0.02;

/**
 * Learns a machine that is switched on and off by turns from rows in order of time of each device.
 * @returns  undefined where it is none, or was not switched often enough
 */
export function learnSwitching(batch: RecordBatch, fields: readonly string[]): Switching | undefined {
  if (fields.length < 2 || fields.length > mostFields) return undefined;
  const columns = usableColumns(batch, fields);
  const found = findSwitch(batch, fields, columns);
  if (!found) return undefined;
  const maxGapMs = gapSteps * medianStepMs(batch);
  const blank = (phaseMs: number, state: State): SwitchState => {
    const inState = columns.map(column =>
      momentsIn(column, columns[fields.indexOf(found.by.field)]!, found.by, state),
    );
    return {
      settleMs: Math.round(settleShare * phaseMs),
      meanMs: Math.round(meanShare * phaseMs),
      center: inState.map(({ mean }) => rounded(mean, 9)),
      scale: inState.map(({ deviation }) => (deviation > 1e-9 ? rounded(deviation, 9) : 1)),
      usual: fields.map(() => [0, 0]),
      judged: [],
    };
  };
  const states: Switching['states'] = [blank(found.phaseMs[0], 0), blank(found.phaseMs[1], 1)];
  const model: Switching = { fields: [...fields], by: found.by, states, maxGapMs };
  const means = meansOf(model, batch, columns).map(thinned);
  if (means.some(({ length }) => length < leastMeans)) return undefined;
  const whole = columns.map(column => momentsOf(column).deviation);
  const isLevel = columns.map((column, c) => whole[c]! > 0 && !isFlag(column));
  const learned = (state: State) => {
    // A channel that was never there in a state could only be found at fault for being there.
    const judging = isLevel.map((level, c) => level && means[state]!.some(row => row[c] !== 0));
    return withLimits(states[state], means[state]!, marginOf(found.phases[state]), whole, judging);
  };
  return { ...model, states: [learned(0), learned(1)] };
}

function thinned(means: readonly Float64Array[]): readonly Float64Array[] {
  const stride = Math.max(1, Math.ceil(means.length / mostMeans));
  return means.filter((_, i) => i % stride === 0);
}

function isFlag(column: Float64Array): boolean {
  return column.every(value => value === 0 || value === 1 || Number.isNaN(value));
}

function momentsOf(column: Float64Array): Moments {
  const moments = new Moments();
  for (const value of column) if (!Number.isNaN(value)) moments.add(value);
  return moments;
}

function momentsIn(
  column: Float64Array,
  by: Float64Array,
  { off, on }: Switching['by'],
  state: State,
): Moments {
  return momentsOf(column.filter((_, r) => (state === 0 ? by[r]! < off : by[r]! > on)));
}

/** Per state, means as the device's own would be, a few each time constant. */
function meansOf(
  model: Switching,
  batch: RecordBatch,
  columns: readonly Float64Array[],
): readonly [Float64Array[], Float64Array[]] {
  const found: [Float64Array[], Float64Array[]] = [[], []];
  const limits = [new StateLimits(model.states[0]), new StateLimits(model.states[1])] as const;
  const devices = batch.schema.devices.map(() => ({
    device: new SwitchedDevice(model, limits),
    takenMs: [0, 0],
  }));
  for (let r = 0; r < batch.time.length; r++) {
    const { device, takenMs } = devices[batch.device[r]!]!;
    const state = device.next(columns, r, batch.time[r]!);
    if (state === undefined) continue;
    const { meanMs } = model.states[state];
    const seenMs = device.seenMs[state]!;
    if (seenMs < takenMs[state]!) takenMs[state] = 0;
    if (seenMs < meanMs || seenMs - takenMs[state]! < meanMs / meansATime) continue;
    takenMs[state] = seenMs;
    found[state].push(device.means[state].slice());
  }
  return found;
}

function withLimits(
  state: SwitchState,
  means: readonly Float64Array[],
  margin: number,
  whole: readonly number[],
  judging: readonly boolean[],
): SwitchState {
  const usual = state.center.map((_, c): [number, number] => {
    const sorted = sortedFinite(means.map(row => row[c]!));
    return [rounded(quantile(sorted, 0.001)), rounded(quantile(sorted, 0.999))];
  });
  const products = productsOf(means, usual);
  const judged = state.center.flatMap((_, channel) => {
    if (!judging[channel]) return [];
    const one = { channel, weights: weightsOf(products, channel), low: 0, high: 0 };
    const expecting = new StateLimits({ usual, judged: [one] });
    const offs = sortedFinite(means.map(row => row[channel]! - expecting.expected(0, row)));
    const [low, middle, high] = [0.0005, 0.5, 0.9995].map(share => quantile(offs, share));
    const least = (leastWidth * whole[channel]!) / state.scale[channel]!;
    const reach = (to: number) => Math.max((1 + margin) * Math.abs(to - middle!), least);
    return { ...one, low: rounded(middle! - reach(low!)), high: rounded(middle! + reach(high!)) };
  });
  return { ...state, usual, judged };
}

/** Of the means, within their usual ranges, and of these with the means as they are. */
interface Products {
  /** [F, F] */
  readonly witness: readonly Float64Array[];
  /** [F, F] of witness a with mean b */
  readonly mean: readonly Float64Array[];
}

function productsOf(means: readonly Float64Array[], usual: readonly (readonly [number, number])[]): Products {
  const square = () => usual.map(() => new Float64Array(usual.length));
  const products = { witness: square(), mean: square() };
  const witnesses = new Float64Array(usual.length);
  for (const row of means) {
    for (let c = 0; c < usual.length; c++) witnesses[c] = within(row[c]!, usual[c]!);
    for (let a = 0; a < usual.length; a++) {
      const witness = witnesses[a]! / means.length;
      const [ofWitness, ofMean] = [products.witness[a]!, products.mean[a]!];
      for (let b = 0; b < usual.length; b++) {
        ofWitness[b]! += witness * witnesses[b]!;
        ofMean[b]! += witness * row[b]!;
      }
    }
  }
  return products;
}

/** Ridge regression of a channel's means on those of the others, within their usual ranges. */
function weightsOf({ witness, mean }: Products, channel: number): number[] {
  const others = witness.map((_, c) => c).filter(c => c !== channel);
  const solution = solve(
    others.map(a => others.map(b => witness[a]![b]! + (a === b ? ridge : 0))),
    others.map(a => mean[a]![channel]!),
  );
  const weights = new Array<number>(witness.length).fill(0);
  for (const [i, c] of others.entries()) weights[c] = rounded(solution[i]!, 9);
  return weights;
}

function within(value: number, [low, high]: readonly [number, number]): number {
  return value < low ? low : value > high ? high : value;
}
