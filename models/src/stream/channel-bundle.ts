import type { RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { selectRows } from '@edgeward/shared/select-rows';
import { type Bundle, createChannelBundle } from '../bundle.js';
import { measure } from '../calibrate.js';
import type { ChannelCard, Metrics } from '../card.js';
import { goldenOf } from '../golden.js';
import { rounded } from '../statistics.js';
import { heldOutRows, medianStepMs, rowsWhere } from '../training-rows.js';
import type { TrainingTable } from '../training-table.js';
import { forestFeatures } from './channel-model.js';
import { type ChannelTrainingOptions, scoreRows, trainChannels } from './train-channels.js';

export interface ChannelBundleOptions extends ChannelTrainingOptions {
  readonly name: string;
  /** What the data is, for the card. */
  readonly source: string;
  /** Learn even if the last fifth of the record is unlike the rest of it. */
  readonly acceptChange?: boolean;
}

/** Below this no rows are held out: a model of the others would be too poor to say anything of its like. */
const leastToHoldOut = 2000;
/** If more of the held-out rows would be alarms, the record ends in another state than the one it began in. */
const mostHeldOutAlarms = 0.5;

/**
 * A model of several channels from rows of usual operation. The same table and options give the same bundle.
 * @throws EW_TRAIN_INPUT if there are too few rows, or the last fifth of them is unlike the others
 */
export function trainChannelBundle(table: TrainingTable, options: ChannelBundleOptions): Bundle<ChannelCard> {
  const batch = inOrder(table.batch);
  const metrics = metricsOf(batch, options);
  if (metrics.falseAlarmShare > mostHeldOutAlarms && !options.acceptChange)
    throw changed(metrics.falseAlarmShare);
  const { model, forest, rows } = trainChannels(batch, options);
  const card = {
    name: options.name,
    deviceType: batch.schema.type,
    fields: model.plan.map(({ field }) => field),
    channels: model,
    plainThreshold: 0.5,
    forest: {
      trees: forest.roots.length,
      samples: options.samples,
      nodes: forest.feature.length,
    },
    training: {
      source: options.source,
      fromMs: batch.time.reduce((a, b) => Math.min(a, b)),
      toMs: batch.time.reduce((a, b) => Math.max(a, b)),
      rows: batch.time.length,
      devices: batch.schema.devices.length,
      seed: options.seed,
      stepMs: medianStepMs(batch),
      skippedRows: table.skippedRows,
    },
    metrics,
  };
  return createChannelBundle(card, forest, goldenOf(forest, forestFeatures(model.plan), rows));
}

/** What a model of the first four fifths of each device's rows says of the others. */
function metricsOf(batch: RecordBatch, options: ChannelTrainingOptions): Metrics {
  const n = batch.time.length;
  const heldOut = heldOutRows(batch);
  if (n < leastToHoldOut) return nothingHeldOut;
  const known = selectRows(
    batch,
    rowsWhere(n, r => heldOut[r] === 0),
  );
  const scores = scoreRows(batch, trainChannels(known, options));
  const judged = rowsWhere(n, r => heldOut[r] === 1 && !Number.isNaN(scores[r]!));
  if (judged.length === 0) return nothingHeldOut;
  return measure(
    Uint16Array.from(judged, r => batch.device[r]!),
    Float32Array.from(judged, r => scores[r]!),
    0.5,
  );
}

function changed(share: number): EdgewardError {
  const percent = Math.round(100 * share);
  const detail = `The last fifth of the record is unlike the rest: ${percent} % of its rows would be alarms. Leave out what is not usual operation, with a column fault or --fields, or record for longer; if both states are usual, give --accept-change.`;
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}

const nothingHeldOut: Metrics = {
  heldOutRows: 0,
  heldOutDevices: 0,
  falseAlarmShare: 0,
  falseAlarmEpisodes: 0,
  median: 0,
  p99: 0,
  highest: 0,
};

/** Rows of files may overlap; a stream of a device never goes back. */
function inOrder(batch: RecordBatch): RecordBatch {
  const order = Int32Array.from(batch.time.keys());
  if (batch.time.every((timeMs, r) => r === 0 || timeMs >= batch.time[r - 1]!)) return batch;
  return selectRows(
    batch,
    order.sort((a, b) => batch.time[a]! - batch.time[b]! || a - b),
  );
}

/** Where alarms of a model begin, as a person would ask: so many times the highest of the training rows. */
export function thresholdText({ channels: { threshold, holdRows } }: ChannelCard): string {
  const held = holdRows > 1 ? `, for ${holdRows} rows` : '';
  return `${rounded(threshold, 3)} times the edge of the usual${held}`;
}
