import type { RecordBatch } from '@edgeward/shared/contracts';
import { thresholdOf } from './card.js';
import type { LoadedModel } from './engines.js';
import type { Judgement } from './judgement.js';
import type { DeviceMemory } from './memory.js';
import { ModelRun } from './model-run.js';
import { ChannelRun } from './stream/channel-run.js';
import { SwitchingJudge } from './switching/switching-judge.js';

/** A model at work: remembers of each device what it needs. Calls must not overlap. */
export interface Judge {
  readonly model: LoadedModel;
  /** @param batch  has all fields of the card */
  judge(batch: RecordBatch): Promise<Judgement>;
  /** What it remembers of the devices it has had rows of. */
  save(): DeviceMemory[];
  /** Goes on where another of the same model was. @throws RangeError; then it must not be used any more */
  load(devices: readonly DeviceMemory[]): void;
}

export function judgeBy(model: LoadedModel): Judge {
  const { card } = model.bundle;
  const judge = judgeByRows(model);
  return card.switching ? new SwitchingJudge(judge, card.switching, thresholdOf(card)) : judge;
}

function judgeByRows(model: LoadedModel): Judge {
  const { bundle, detector } = model;
  if (bundle.card.format === 1) return new ModelRun({ bundle: { ...bundle, card: bundle.card }, detector });
  const run = new ChannelRun({ model: bundle.card.channels, detector });
  return {
    model,
    judge: batch => run.judge(batch),
    save: () => run.save(),
    load: devices => run.load(devices),
  };
}
