/** One way to train from a table, whatever it was read from. */
import type { RecordBatch } from '@edgeward/shared/contracts';
import { type Bundle, withSwitching } from './bundle.js';
import { type ChannelBundleOptions, trainChannelBundle } from './stream/channel-bundle.js';
import { learnSwitching } from './switching/learn-switching.js';
import { type TrainingOptions, train } from './training.js';
import type { TrainingTable } from './training-table.js';

/** `channels`: views of several channels and a forest; `forest`: a forest over features of each channel. */
export const methods = ['channels', 'forest'] as const;
export type Method = (typeof methods)[number];

export interface Trained {
  readonly bundle: Bundle;
  /** Columns that were left out: they never changed, or held no value. */
  readonly unused: readonly string[];
}

/** What is used unless somebody asks for something else. */
export const usualTraining = {
  seed: 1,
  trees: 100,
  samples: 256,
  alarmsADay: 0.1,
  holdRows: 1,
  smoothingRows: 8,
  warmUpRows: 30,
  margin: 1,
} as const;

/** Name and source must be said; all else is as usual, and what is only for the other method is not looked at. */
export type TableTrainingOptions = Pick<TrainingOptions, 'name' | 'source'> &
  Partial<TrainingOptions & ChannelBundleOptions> & {
    /** Whether to learn what machines that are switched on and off by turns are like in either state: true if absent. */
    readonly switching?: boolean;
  };

export function usualMethod({ schema }: RecordBatch): Method {
  return schema.fields.length > 1 ? 'channels' : 'forest';
}

/**
 * The same table and options give the same bundle, byte for byte.
 * @throws EW_TRAIN_INPUT if the rows cannot be learned from
 */
export function trainTable(
  table: TrainingTable,
  options: TableTrainingOptions & { readonly method?: Method },
): Trained {
  const trained = trainMethod(table, options);
  const { bundle } = trained;
  const switching = options.switching === false ? undefined : learnSwitching(table.batch, bundle.card.fields);
  return switching ? { ...trained, bundle: withSwitching(bundle, switching) } : trained;
}

function trainMethod(
  table: TrainingTable,
  { method = usualMethod(table.batch), ...options }: TableTrainingOptions & { readonly method?: Method },
): Trained {
  const complete = { ...usualTraining, ...options };
  if (method === 'forest') {
    const { bundle, constant } = train(table, complete);
    return { bundle, unused: constant };
  }
  const bundle = trainChannelBundle(table, complete);
  const learned = new Set(bundle.card.fields);
  const names = table.batch.schema.fields.map(({ name }) => name);
  return { bundle, unused: names.filter(name => !learned.has(name)) };
}
