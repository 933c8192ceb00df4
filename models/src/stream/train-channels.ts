import type { RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { seededRng, subSeed } from '@edgeward/shared/rng';
import { usableColumns } from '../channels.js';
import { scoreCompiled } from '../compiled-forest.js';
import { rowsAt } from '../contributions.js';
import { type Forest, trainForest } from '../isolation-forest.js';
import { maxNodes } from '../onnx-reader.js';
import { quantile, rounded } from '../statistics.js';
import { medianStepMs, rowsWhere, thinned } from '../training-rows.js';
import { type ChannelModel, forestFeatures, together } from './channel-model.js';
import { type ChannelPlan, isStill, planChannels } from './channel-plan.js';
import { ChannelStream, columnCount, forestRatio, gapRows, Taken } from './channel-stream.js';
import { RunningMean } from './running-mean.js';
import { channelSettings, settingsVersion } from './settings.js';
import { Covariance, columnsOf, View, type ViewModel } from './view.js';

export interface ChannelTrainingOptions {
  readonly seed: number;
  readonly trees: number;
  readonly samples: number;
  /** Alarms a day and device that usual rows may give. Holds as far as the training rows can tell. */
  readonly alarmsADay: number;
  /** Rows in a row above the threshold before an alarm begins. */
  readonly holdRows: number;
}

export interface TrainedChannels {
  readonly model: ChannelModel;
  readonly forest: Forest;
  /** Rows the forest was grown from, row-major. */
  readonly rows: Float32Array;
}

/** Fewer say too little of how channels vary together. */
export const leastChannelRows = 200;
/** Windows and means must have filled before a row is learned from or judged. */
const warmUpRows = 60;
/** Of the training rows so many may lie above the level that is called their highest. */
const levelShare = 0.9975;
/** A distance of so many standard deviations is usual, however little a record has shown. */
const leastLevel = 1;
const mostForestRows = 100_000;
/** Share of disturbed rows among those a forest is grown from, and how far out they lie, in widths of the usual. */
const disturbed = { share: 0.3, nearest: 0.05, farthest: 3 };

/**
 * Learns a model from rows of usual operation, in order of time of each device. The same rows and options give the
 * same model.
 * @throws EW_TRAIN_INPUT if there are too few rows
 */
export function trainChannels(batch: RecordBatch, options: ChannelTrainingOptions): TrainedChannels {
  const fields = seenFields(batch);
  const stepMs = medianStepMs(batch);
  const plan = planChannels(batch, fields, usableColumns(batch, fields), stepMs);
  if (plan.every(isStill))
    throw new EdgewardError('EW_TRAIN_INPUT', 'No column ever changes. Give data of a machine at work.');
  const maxGapMs = gapRows * stepMs;
  const rows = walk(batch, plan, maxGapMs);
  if (rows.known.length < leastChannelRows) throw tooFew(rows.known.length);
  const fitted = channelSettings.views.map((_, v) => fitView(plan, v, rows));
  const { forest, grown } = growForest(rows, options);
  const scores = forestScores(rows, forest);
  const sorted = Float64Array.from(rows.known, r => scores[r]!).sort();
  const median = quantile(sorted, 0.5);
  const unlimited: Omit<ChannelModel, 'threshold'> = {
    settings: settingsVersion,
    plan: [...plan],
    views: fitted.map(({ view }) => view),
    forest: { median, highest: Math.max(quantile(sorted, levelShare), median + 1e-6) },
    holdRows: options.holdRows,
    warmUpRows,
    maxGapMs,
  };
  const distances = fitted.map(view => view.distances);
  const threshold = thresholdOf(rows, ratiosOf(unlimited, distances, scores), options);
  return { model: { ...unlimited, threshold }, forest, rows: grown };
}

/** Of a column without any value it cannot be said what is usual. */
function seenFields(batch: RecordBatch): string[] {
  const numeric = batch.schema.fields.filter(({ kind }) => kind !== 'string').map(({ name }) => name);
  const columns = usableColumns(batch, numeric);
  return numeric.filter((_, c) => columns[c]!.some(value => !Number.isNaN(value)));
}

/**
 * Scores of rows as `ChannelRun` gives them, but for what an alarm leaves behind.
 * @returns  [n] NaN for rows that are not judged
 */
export function scoreRows(batch: RecordBatch, { model, forest }: TrainedChannels): Float32Array {
  const rows = walk(batch, model.plan, model.maxGapMs);
  const distances = model.views.map((view, v) =>
    smoothedDistances(rows, new View(view), columnCount(model.plan, v), v),
  );
  const ratios = ratiosOf(model, distances, forestScores(rows, forest));
  const scores = new Float32Array(batch.time.length).fill(Number.NaN);
  for (const r of rows.known) scores[r] = ratios[r]! / (ratios[r]! + model.threshold);
  return scores;
}

/** All training rows as the views and the forest see them. */
interface Walked {
  readonly batch: RecordBatch;
  readonly columns: Float64Array;
  readonly columnCount: number;
  readonly features: Float32Array;
  readonly featureCount: number;
  /** [n] a `Taken`. */
  readonly taken: Uint8Array;
  /** Rows of devices that had been seen for long enough. */
  readonly known: Int32Array;
}

function walk(batch: RecordBatch, plan: readonly ChannelPlan[], maxGapMs: number): Walked {
  const n = batch.time.length;
  const read = usableColumns(
    batch,
    plan.map(({ field }) => field),
  );
  const streams = batch.schema.devices.map(() => ({ stream: new ChannelStream(plan, maxGapMs), rows: 0 }));
  const [columnsARow, featuresARow] = [columnCount(plan), forestFeatures(plan).length];
  const columns = new Float64Array(n * columnsARow);
  const features = new Float32Array(n * featuresARow);
  const warm = new Uint8Array(n);
  const taken = Uint8Array.from(batch.time, (timeMs, r) => {
    const device = streams[batch.device[r]!]!;
    const how = device.stream.push(read, r, timeMs);
    if (how === Taken.not) return how;
    device.rows = how === Taken.first ? 1 : device.rows + 1;
    warm[r] = device.rows > warmUpRows ? 1 : 0;
    device.stream.columns(columns, r * columnsARow);
    device.stream.features(features, r * featuresARow);
    return how;
  });
  const known = rowsWhere(n, r => warm[r] === 1);
  return { batch, columns, columnCount: columnsARow, features, featureCount: featuresARow, taken, known };
}

interface FittedView {
  readonly view: ViewModel;
  /** [n] smoothed. */
  readonly distances: Float64Array;
}

function fitView(plan: readonly ChannelPlan[], v: number, rows: Walked): FittedView {
  const chosen = columnsOf(plan, v);
  const covariance = new Covariance(chosen.means.length + chosen.changes.length);
  const start = columnCount(plan, v);
  for (const r of rows.known) covariance.add(rows.columns, r * rows.columnCount + start);
  const view = { ...chosen, ...covariance.finish() };
  const distances = smoothedDistances(rows, new View(view), start, v);
  const sorted = Float64Array.from(rows.known, r => distances[r]!).sort();
  const level = rounded(Math.max(quantile(sorted, levelShare), leastLevel), 12);
  return { view: { ...view, level }, distances };
}

function smoothedDistances(rows: Walked, view: View, start: number, v: number): Float64Array {
  const distances = Float64Array.from(rows.batch.time, (_, r) =>
    view.distance(rows.columns, r * rows.columnCount + start),
  );
  return smoothed(rows, distances, channelSettings.views[v]!.smoothing);
}

/** Smoothed scores of the forest. */
function forestScores(rows: Walked, forest: Forest): Float64Array {
  return smoothed(rows, scoreCompiled(forest, rows.features), channelSettings.forest.smoothing);
}

/** Averages each device's values over its last rows. */
function smoothed({ batch, taken }: Walked, values: Float64Array | Float32Array, over: number): Float64Array {
  const means = batch.schema.devices.map(() => new RunningMean(over));
  return Float64Array.from(values, (value, r) => {
    if (taken[r] === Taken.not) return Number.NaN;
    const mean = means[batch.device[r]!]!;
    if (taken[r] === Taken.first) mean.reset();
    return mean.next(value);
  });
}

/**
 * All parts of each row as one number, as `DeviceVerdict` takes them together.
 * @param distances  a view, [n], smoothed
 * @param scores     [n] of the forest, smoothed
 */
function ratiosOf(
  { views, forest }: Omit<ChannelModel, 'threshold'>,
  distances: readonly Float64Array[],
  scores: Float64Array,
): Float64Array {
  const parts = new Float64Array(views.length + 1);
  return scores.map((score, r) => {
    for (let v = 0; v < views.length; v++) parts[v] = distances[v]![r]! / views[v]!.level;
    parts[views.length] = Math.max(0, forestRatio(forest, score));
    return together(parts);
  });
}

/** Rows that hang together: the highest ratios of two such blocks are taken to be independent. */
const blockRows = 200;
/** Below this a number of blocks says nothing of rare rows. */
const leastBlocks = 20;

/**
 * The ratio that usual rows reach as seldom as the budget says, by an exponential tail through the highest ratios of
 * blocks of rows (peaks over threshold, Pickands 1975, shape 0). The fewer blocks, the more room is left above it.
 */
function thresholdOf(
  { batch, known }: Walked,
  ratio: Float64Array,
  { alarmsADay }: ChannelTrainingOptions,
): number {
  const { leastRatio, leastKnownRatio } = channelSettings;
  const peaks = Float64Array.from(blockPeaks(batch, known, ratio)).sort();
  if (peaks.length < leastBlocks) return leastRatio;
  const least = leastKnownRatio + ((leastRatio - leastKnownRatio) * leastBlocks) / peaks.length;
  const middle = quantile(peaks, 0.5);
  const upper = peaks.filter(peak => peak > middle);
  const excess = upper.reduce((sum, peak) => sum + peak - middle, 0) / Math.max(1, upper.length);
  const blocksADay = 86_400_000 / (blockRows * medianStepMs(batch));
  const chance = Math.min(0.5, alarmsADay / blocksADay);
  return rounded(Math.max(least, middle + excess * Math.log(0.5 / chance)), 12);
}

/** Highest ratio of each block of a device's rows. */
function blockPeaks(batch: RecordBatch, known: Int32Array, ratio: Float64Array): Iterable<number> {
  const seen = new Float64Array(batch.schema.devices.length);
  const peaks = new Map<number, number>();
  for (const r of known) {
    const device = batch.device[r]!;
    const block = Math.floor(seen[device]! / blockRows) * batch.schema.devices.length + device;
    seen[device]! += 1;
    peaks.set(block, Math.max(peaks.get(block) ?? 0, ratio[r]!));
  }
  return peaks.values();
}

function growForest(rows: Walked, options: ChannelTrainingOptions): { forest: Forest; grown: Float32Array } {
  const normal = rowsAt(rows.features, rows.featureCount, thinned(rows.known, mostForestRows));
  const odd = disturbedRows(normal, rows.featureCount, options.seed);
  const grown = new Float32Array(normal.length + odd.length);
  grown.set(normal);
  grown.set(odd, normal.length);
  const n = grown.length / rows.featureCount;
  return { forest: trainForest(grown, n, rows.featureCount, { ...options, maxNodes }), grown };
}

/**
 * Usual rows in which one column has left its range. Grown from usual rows alone a forest has no branches out there,
 * and on SKAB finds hardly more than half of what it finds with them.
 */
function disturbedRows(normal: Float32Array, columns: number, seed: number): Float32Array {
  const rows = normal.length / columns;
  const edges = Array.from({ length: columns }, (_, c) => edgesOf(normal, columns, c));
  const { share, nearest, farthest } = disturbed;
  const rng = seededRng(subSeed(seed, 'disturbed'));
  const odd = new Float32Array(Math.round((rows * share) / (1 - share)) * columns);
  const count = odd.length / columns;
  // Columns and sides in turn, distances evenly spread: few rows drawn freely would leave some column out.
  const rounds = Math.ceil(count / (2 * columns));
  for (let i = 0; i < count; i++) {
    const from = Math.floor(rng() * rows) * columns;
    odd.set(normal.subarray(from, from + columns), i * columns);
    const c = (i >> 1) % columns;
    const [low, high] = edges[c]!;
    const spread = (Math.floor(i / (2 * columns)) + rng()) / rounds;
    const beyond = (high - low) * nearest * (farthest / nearest) ** spread;
    odd[i * columns + c] = i % 2 === 0 ? high + beyond : low - beyond;
  }
  return odd;
}

function edgesOf(x: Float32Array, columns: number, c: number): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = c; at < x.length; at += columns) {
    if (x[at]! < low) low = x[at]!;
    if (x[at]! > high) high = x[at]!;
  }
  return [low, high];
}

function tooFew(rows: number): EdgewardError {
  const detail = `${rows} usable rows after ${warmUpRows} of warm-up a device, fewer than ${leastChannelRows}. Record usual operation for longer.`;
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}
