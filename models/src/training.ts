import type { RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { backgroundRows } from './background.js';
import { type Bundle, createBundle } from './bundle.js';
import { measure, smoothed, thresholdAbove } from './calibrate.js';
import type { FeatureRange, Golden } from './card.js';
import { channelColumns } from './channels.js';
import { type ChosenFeatures, chooseFeatures } from './choose-features.js';
import { type FeatureSpec, featureNames } from './feature-spec.js';
import { FeatureExtractor } from './features.js';
import { type Forest, scoreForest, trainForest } from './isolation-forest.js';
import { plainMatrix } from './plain.js';
import { quantile, rounded } from './statistics.js';
import type { TrainingTable } from './training-table.js';

export interface TrainingOptions {
  readonly name: string;
  readonly seed: number;
  readonly trees: number;
  readonly samples: number;
  /** What the data is, for the card. */
  readonly source: string;
  readonly smoothingRows: number;
}

export interface Training extends Pick<ChosenFeatures, 'constant'> {
  readonly bundle: Bundle;
}

export const leastRows = 1000;
/** The last fifth of each device's rows sets the threshold and is not trained on. */
const heldOutShare = 0.2;
/** Splits drawn at each branch, of which the best is taken. */
const tries = 4;
/** How far above the highest normal scores alarms begin. */
const margin = 0.5;
/** Enough to find the threshold for rows without history. */
const mostPlainRows = 20_000;
const goldenRows = 64;

/**
 * Trains a forest and finds its thresholds. The same table and options give the same bundle, byte for byte.
 * @throws EW_TRAIN_INPUT if there are too few rows, or none of the channels ever changes
 */
export function train({ batch, skippedRows }: TrainingTable, options: TrainingOptions): Training {
  const n = batch.time.length;
  if (n < leastRows) throw tooShort(n, skippedRows);
  const { heldOut, train } = split(batch);
  const stepMs = medianStep(batch);
  const chosen = chooseFeatures(batch, train, stepMs);
  if (chosen.spec.channels.length === 0) {
    throw refusal('No column ever changes. Give data of a machine at work.');
  }

  const { matrix, warmUp } = extract(batch, chosen.spec);
  const columns = featureNames(chosen.spec).length;
  const known = rowsWhere(matrix, columns, r => train[r] === 1 && !warmUp[r]);
  if (known.length < (leastRows / 2) * columns) throw tooShort(known.length / columns, skippedRows);
  const rows = joined(known, backgroundRows(chosen.spec, known, options.seed));
  const forest = trainForest(rows, rows.length / columns, columns, { ...options, tries });
  const featureRanges = rangesOf(chosen.spec, known);

  const scores = smoothed(batch, scoresOf(forest, matrix), warmUp, options.smoothingRows);
  const unseen = scores.filter((_, r) => heldOut[r] === 1);
  const threshold = thresholdAbove(unseen.some(Number.isFinite) ? unseen : scores, margin);
  const plain = plainMatrix(chosen.spec, featureRanges, sampleOf(batch, chosen.spec));
  const card = {
    name: options.name,
    deviceType: batch.schema.type,
    fields: chosen.spec.channels.map(channel => channel.field),
    features: chosen.spec,
    smoothingRows: options.smoothingRows,
    threshold,
    plainThreshold: thresholdAbove(scoresOf(forest, plain), margin),
    channelRanges: [...chosen.ranges],
    featureRanges,
    forest: { trees: forest.roots.length, samples: options.samples, nodes: forest.feature.length },
    training: {
      source: options.source,
      fromMs: batch.time.reduce((a, b) => Math.min(a, b)),
      toMs: batch.time.reduce((a, b) => Math.max(a, b)),
      rows: known.length / columns,
      devices: batch.schema.devices.length,
      seed: options.seed,
      stepMs,
      skippedRows,
    },
    metrics: measure(batch, scores, heldOut, threshold),
  };
  const golden = goldenOf(forest, featureNames(chosen.spec), rows);
  return {
    bundle: createBundle(card, forest, golden),
    constant: chosen.constant,
  };
}

function refusal(detail: string): EdgewardError {
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}

function tooShort(rows: number, skipped: number): EdgewardError {
  const left = skipped > 0 ? ` after leaving out ${skipped} labelled as faulty` : '';
  return refusal(`${rows} usable rows${left}, fewer than ${leastRows}. Record normal operation for longer.`);
}

function split(batch: RecordBatch): { heldOut: Uint8Array; train: Uint8Array } {
  const total = new Float64Array(batch.schema.devices.length);
  for (const device of batch.device) total[device]! += 1;
  const seen = new Float64Array(total.length);
  const heldOut = Uint8Array.from(batch.device, device => {
    seen[device]! += 1;
    return seen[device]! > (1 - heldOutShare) * total[device]! ? 1 : 0;
  });
  return { heldOut, train: heldOut.map(out => 1 - out) };
}

/** Median time between two rows of a device, at least 1 ms. */
function medianStep(batch: RecordBatch): number {
  const last = new Float64Array(batch.schema.devices.length).fill(Number.NaN);
  const steps: number[] = [];
  batch.time.forEach((timeMs, r) => {
    const step = timeMs - last[batch.device[r]!]!;
    last[batch.device[r]!] = timeMs;
    if (step > 0) steps.push(step);
  });
  return steps.length > 0 ? Math.max(1, quantile(Float64Array.from(steps).sort(), 0.5)) : 1000;
}

function extract(batch: RecordBatch, spec: FeatureSpec): { matrix: Float32Array; warmUp: Uint8Array } {
  const extractor = new FeatureExtractor(spec);
  const matrix = new Float32Array(batch.time.length * extractor.names.length);
  const warmUp = new Uint8Array(batch.time.length);
  extractor.extract(batch, matrix, warmUp);
  return { matrix, warmUp };
}

function rowsWhere(matrix: Float32Array, columns: number, keep: (row: number) => boolean): Float32Array {
  const kept = new Float32Array(matrix.length);
  let at = 0;
  for (let r = 0; r * columns < matrix.length; r++) {
    if (!keep(r)) continue;
    kept.set(matrix.subarray(r * columns, (r + 1) * columns), at);
    at += columns;
  }
  return kept.slice(0, at);
}

function scoresOf(forest: Forest, matrix: Float32Array): Float32Array {
  const scores = new Float32Array(matrix.length / forest.features);
  // In pieces that stay in the cache while all trees pass over them.
  for (let from = 0; from < scores.length; from += 256) {
    const n = Math.min(256, scores.length - from);
    const rows = matrix.subarray(from * forest.features, (from + n) * forest.features);
    scoreForest(forest, rows, n, scores.subarray(from, from + n));
  }
  return scores;
}

function rangesOf(spec: FeatureSpec, known: Float32Array): FeatureRange[] {
  const names = featureNames(spec);
  return names.map((feature, f) => {
    const column = Float32Array.from(
      { length: known.length / names.length },
      (_, r) => known[r * names.length + f]!,
    );
    column.sort();
    const at = (share: number) => rounded(quantile(column, share));
    return { feature, median: at(0.5), low: at(0.01), high: at(0.99) };
  });
}

/** Rows evenly spaced over the batch, as one column a channel. */
function sampleOf(batch: RecordBatch, spec: FeatureSpec): Float64Array[] {
  const stride = Math.ceil(batch.time.length / mostPlainRows);
  return channelColumns(batch, spec).map(column => column.filter((_, r) => r % stride === 0));
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Rows of the forest from the least to the most anomalous, so that many paths through the trees are walked. */
function goldenOf(forest: Forest, features: readonly string[], known: Float32Array): Golden {
  const scores = scoresOf(forest, known);
  const order = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const picked = Array.from(
    { length: goldenRows },
    (_, i) => order[Math.floor((i * (order.length - 1)) / (goldenRows - 1))]!,
  );
  const row = (r: number) => [...known.subarray(r * features.length, (r + 1) * features.length)];
  return {
    format: 1,
    features: [...features],
    // Nine digits bring back the same float32.
    rows: picked.map(r => row(r).map(value => Number(value.toPrecision(9)))),
    scores: picked.map(r => rounded(scores[r]!, 7)),
  };
}
