import type { CommandValues } from '@edgeward/shared/command';
import type { Detector } from '@edgeward/shared/contracts';
import { choiceOf, wholeOf } from '../command-values.js';
import { CompiledForest } from '../compiled-forest.js';
import { type Forest, scoreForest } from '../isolation-forest.js';
import { sliceBatch } from '../slice-batch.js';
import { forestFeatures } from '../stream/channel-model.js';
import { ChannelRun } from '../stream/channel-run.js';
import type { Deciding } from '../stream/device-verdict.js';
import { type ChannelTrainingOptions, trainChannels } from '../stream/train-channels.js';
import type { EvaluationKind } from './kind.js';
import { refusal } from './numeric-csv.js';
import { inBatches, type Series } from './series.js';

/** The one set of settings for the files of a kind. */
const training: ChannelTrainingOptions = {
  seed: 1,
  trees: 100,
  samples: 256,
  alarmsADay: 0.1,
  holdRows: 1,
};

export const seriesOptions: EvaluationKind['options'] = {
  seed: { type: 'string', placeholder: 'N', description: 'seed of the trees (default: 1)' },
  deciding: {
    type: 'string',
    placeholder: 'PARTS',
    description: 'what decides: all, forest or views (default: all)',
  },
};

/** The settings, with the seed that is asked for. */
export function trainingOf(values: CommandValues): ChannelTrainingOptions {
  return { ...training, seed: wholeOf(values, 'seed', training.seed, 0, 2 ** 31 - 1) };
}

export function decidingOf(values: CommandValues): Deciding {
  return choiceOf(values, 'deciding', ['all', 'forest', 'views']);
}

/**
 * Learns from the first rows and judges all of them as they come.
 * @returns  [n] whether the device was in alarm at each row
 * @throws   EW_EVALUATE_INPUT if there are no rows to judge
 */
export async function alarmsOf(
  path: string,
  series: Series,
  trainingRows: number,
  options: ChannelTrainingOptions,
  deciding: Deciding,
): Promise<Uint8Array> {
  if (series.time.length <= trainingRows)
    throw refusal(
      `${path} has ${series.time.length} rows, and the first ${trainingRows} are learned from. Leave it out.`,
    );
  const { model, forest } = trainChannels(sliceBatch(series, 0, trainingRows), options);
  const run = new ChannelRun({ model, detector: detectorOf(forest, forestFeatures(model.plan)), deciding });
  const alarms = new Uint8Array(series.time.length);
  let at = 0;
  for (const batch of inBatches(series)) {
    const { anomaly } = await run.judge(batch);
    alarms.set(anomaly, at);
    at += anomaly.length;
  }
  return alarms;
}

/** Lines of a CSV: file, row, 1 in alarm or 0 not. */
export function linesOf(name: string, alarms: Uint8Array, from: number): string {
  let lines = '';
  for (let r = from; r < alarms.length; r++) lines += `${name},${r},${alarms[r]}\n`;
  return lines;
}

function detectorOf(forest: Forest, features: readonly string[]): Detector {
  const compiled = CompiledForest.of(forest);
  return {
    features,
    revision: 'evaluation',
    async score(x, n) {
      const scores = new Float32Array(n);
      if (compiled) compiled.score(x, n, scores);
      else scoreForest(forest, x, n, scores);
      return scores;
    },
    async [Symbol.asyncDispose]() {},
  };
}
