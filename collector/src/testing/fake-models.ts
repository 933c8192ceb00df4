import { EdgewardError } from '@edgeward/shared/errors';
import { blankTraining } from '../training/trainings.js';
import type {
  AssignedView,
  BundleView,
  ModelControls,
  ModelsView,
  ModelTarget,
  TrainingOrder,
  TrainingView,
} from '../views.js';

const revision = 'aaaaaaaaaaaa';
const shadow = {
  rows: 200,
  deviceHours: 0.5,
  devices: 2,
  alarms: { candidate: 1, active: 2, reproduced: 1 },
  flagged: { candidate: 5, active: 9 },
  agreed: 190,
  differences: [
    {
      device: 'pump-1',
      by: 'active' as const,
      fromMs: 0,
      toMs: 8000,
      rows: 4,
      channels: ['flow', 'pressure'],
    },
  ],
};

/** One bundle, assigned to all, that one gateway runs and another has refused. */
export class FakeModels implements ModelControls {
  /** What was asked for, in words. */
  readonly asked: string[] = [];
  trainings: readonly TrainingView[] = [];
  /** What comes of a training, at once. */
  outcome: Partial<TrainingView> = { state: 'trained', revision, rows: 5000 };

  view(): ModelsView {
    const common = {
      type: 'pump',
      wanted: revision,
      doneBytes: null,
      bytes: null,
      shadow: null,
      reportedMs: 3,
    };
    const refused = {
      code: 'EW_MODEL_FIELDS',
      text: 'A model needs fields that the devices do not have. flow.',
    };
    return {
      bundles: [this.#bundle(['card.json', 'golden.json', 'model.onnx'])],
      assignments: [this.#assigned({ type: 'pump', gateway: null })],
      trainings: this.trainings,
      gateways: [
        { ...common, gateway: 'gw-1', inUse: revision, state: 'active', code: null, text: null },
        { ...common, gateway: 'gw-3', inUse: null, state: 'shadow', code: null, text: null, shadow },
        { ...common, gateway: 'gw-2', inUse: 'bbbbbbbbbbbb', state: 'refused', ...refused },
      ],
    };
  }

  async add(files: Readonly<Record<string, Uint8Array>>): Promise<BundleView> {
    const names = Object.keys(files).sort();
    this.asked.push(`add ${names.join(' ')}`);
    if (!names.includes('card.json')) throw new EdgewardError('EW_MODEL_BUNDLE', 'card.json is missing.');
    return this.#bundle(names);
  }

  async assign(target: ModelTarget, wanted: string, byShadow: boolean): Promise<AssignedView | undefined> {
    this.asked.push(`assign ${target.type} ${wanted} ${target.gateway ?? 'all'}${byShadow ? ' shadow' : ''}`);
    return wanted === revision ? this.#assigned(target) : undefined;
  }

  async rollBack(target: ModelTarget): Promise<AssignedView | undefined> {
    this.asked.push(`rollback ${target.type} ${target.gateway ?? 'all'}`);
    return target.type === 'pump' ? { ...this.#assigned(target), revision: null, former: null } : undefined;
  }

  train({ type, hours, method, assign }: TrainingOrder): TrainingView {
    this.asked.push(`train ${[type, hours, method, assign && 'assign'].filter(Boolean).join(' ')}`);
    const begun = {
      ...blankTraining(type, 'demand'),
      state: 'running' as const,
      startedMs: 1000,
      nextMs: null,
    };
    this.trainings = [{ ...begun, endedMs: 3000, assigned: assign, ...this.outcome }];
    return begun;
  }

  #bundle(files: readonly string[]): BundleView {
    const id = 'c'.repeat(64);
    return { id, type: 'pump', revision, name: 'pump', addedMs: 1, bytes: 1000, files, signed: false };
  }

  #assigned({ type, gateway }: ModelTarget): AssignedView {
    return { type, gateway, order: '1'.repeat(16), atMs: 2, by: 'at once', revision, former: 'bbbbbbbbbbbb' };
  }
}
