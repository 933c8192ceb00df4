import { EdgewardError } from '@edgeward/shared/errors';
import { backgroundRows } from './background.js';
import { type Bundle, createBundle } from './bundle.js';
import { measure, smoothed, thresholdAbove, thresholdAt } from './calibrate.js';
import type { FeatureRange, ForestCard } from './card.js';
import { type ChosenFeatures, chooseFeatures } from './choose-features.js';
import { rowsAt } from './contributions.js';
import { type FeatureSpec, featureNames } from './feature-spec.js';
import { goldenOf } from './golden.js';
import { type Forest, scoreMatrix, trainForest } from './isolation-forest.js';
import { maxNodes } from './onnx-reader.js';
import { plainMatrix } from './plain.js';
import { quantile, rounded } from './statistics.js';
import {
  channelsAt,
  type FeatureMatrix,
  featuresOf,
  heldOutRows,
  medianStepMs,
  rowsWhere,
  thinned,
} from './training-rows.js';
import type { TrainingTable } from './training-table.js';

export interface TrainingOptions {
  readonly name: string;
  readonly seed: number;
  readonly trees: number;
  readonly samples: number;
  /** See `ForestOptions`. */
  readonly featuresASplit?: number;
  /** What the data is, for the card. */
  readonly source: string;
  readonly smoothingRows: number;
  /** Rows of a device before it is scored. */
  readonly warmUpRows: number;
  /** How far above the highest normal scores alarms begin, see `thresholdAbove`. */
  readonly margin: number;
  /** Instead of the margin: share of the training rows that shall be in alarm, see `thresholdAt`. */
  readonly contamination?: number;
}

export interface Training extends Pick<ChosenFeatures, 'constant'> {
  readonly bundle: Bundle<ForestCard>;
}

const leastRows = 1000;
/** Splits drawn at each branch, of which the best is taken. */
const tries = 4;
/** A forest looks at some ten thousand rows; out of these. */
const mostForestRows = 100_000;
/** Enough for golden rows and for thresholds. Held-out rows alone, where fewer, do not show all that is normal. */
const enoughRows = 20_000;

/**
 * Trains a forest and finds its thresholds. The same table and options give the same bundle, byte for byte.
 * @throws EW_TRAIN_INPUT if there are too few rows, or none of the channels ever changes
 */
export function train({ batch, skippedRows }: TrainingTable, options: TrainingOptions): Training {
  const n = batch.time.length;
  if (n < leastRows) throw tooShort(n, skippedRows);
  const heldOut = heldOutRows(batch);
  const stepMs = medianStepMs(batch);
  const isKnown = heldOut.map(out => 1 - out);
  const { spec, ranges, constant } = chooseFeatures(batch, isKnown, stepMs, options.warmUpRows);
  if (spec.channels.length === 0) throw refusal('No column ever changes. Give data of a machine at work.');

  const matrix = featuresOf(batch, spec);
  const known = rowsWhere(n, r => isKnown[r] === 1 && !matrix.warmUp[r]);
  if (known.length < leastRows / 2) throw tooShort(known.length, skippedRows);
  const { forest, featureRanges, rows } = grow(matrix, known, spec, options);

  const judge = (rows: Int32Array): Judged => {
    const device = Uint16Array.from(rows, r => batch.device[r]!);
    const scores = scoreMatrix(forest, rowsAt(matrix.x, matrix.columns, rows));
    return { device, scores: smoothed(device, scores, options.smoothingRows) };
  };
  const unseen = judge(rowsWhere(n, r => heldOut[r] === 1 && !matrix.warmUp[r]));
  const all = unseen.scores.length < enoughRows || options.contamination !== undefined;
  const judged = all ? judge(rowsWhere(n, r => !matrix.warmUp[r])) : unseen;
  const threshold = thresholdOf(judged.scores, options);
  const plain = plainMatrix(spec, featureRanges, channelsAt(batch, spec, thinned(known, enoughRows)));
  const card = {
    name: options.name,
    deviceType: batch.schema.type,
    fields: spec.channels.map(channel => channel.field),
    features: spec,
    smoothingRows: options.smoothingRows,
    threshold,
    plainThreshold: thresholdOf(scoreMatrix(forest, plain), options),
    channelRanges: [...ranges],
    featureRanges,
    forest: sizesOf(forest, options),
    training: {
      source: options.source,
      fromMs: batch.time.reduce((a, b) => Math.min(a, b)),
      toMs: batch.time.reduce((a, b) => Math.max(a, b)),
      rows: known.length,
      devices: batch.schema.devices.length,
      seed: options.seed,
      stepMs,
      skippedRows,
    },
    metrics: measure(unseen.device, unseen.scores, threshold),
  };
  const shown = rowsAt(rows, matrix.columns, everyNth(rows.length / matrix.columns, enoughRows));
  return { bundle: createBundle(card, forest, goldenOf(forest, featureNames(spec), shown)), constant };
}

function thresholdOf(scores: Float32Array, { margin, contamination }: TrainingOptions): number {
  return contamination === undefined
    ? thresholdAbove(scores, margin)
    : thresholdAt(scores, { contamination });
}

function sizesOf({ roots, feature, planes }: Forest, { samples }: TrainingOptions): ForestCard['forest'] {
  const sizes = { trees: roots.length, samples, nodes: feature.length };
  return planes
    ? { ...sizes, featuresASplit: planes.terms, planes: planes.feature.length / planes.terms }
    : sizes;
}

/** Smoothed scores of some rows, and whose they are. */
interface Judged {
  readonly device: Uint16Array;
  readonly scores: Float32Array;
}

interface Grown {
  readonly forest: Forest;
  readonly featureRanges: FeatureRange[];
  /** What it was grown from, normal and disturbed rows. */
  readonly rows: Float32Array;
}

function grow(matrix: FeatureMatrix, known: Int32Array, spec: FeatureSpec, options: TrainingOptions): Grown {
  const { columns } = matrix;
  const normal = rowsAt(matrix.x, columns, thinned(known, mostForestRows));
  const disturbed = backgroundRows(spec, normal, options.seed);
  const rows = new Float32Array(normal.length + disturbed.length);
  rows.set(normal);
  rows.set(disturbed, normal.length);
  const forest = trainForest(rows, rows.length / columns, columns, { ...options, tries, maxNodes });
  return { forest, featureRanges: rangesOf(spec, normal), rows };
}

function rangesOf(spec: FeatureSpec, x: Float32Array): FeatureRange[] {
  const names = featureNames(spec);
  return names.map((feature, f) => {
    const column = x.filter((_, i) => i % names.length === f).sort();
    const at = (share: number) => rounded(quantile(column, share));
    return { feature, median: at(0.5), low: at(0.01), high: at(0.99) };
  });
}

function everyNth(n: number, most: number): Int32Array {
  return thinned(
    rowsWhere(n, () => true),
    most,
  );
}

function refusal(detail: string): EdgewardError {
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}

function tooShort(rows: number, skipped: number): EdgewardError {
  const left = skipped > 0 ? ` after leaving out ${skipped} labelled as faulty` : '';
  return refusal(`${rows} usable rows${left}, fewer than ${leastRows}. Record normal operation for longer.`);
}
