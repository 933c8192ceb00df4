/**
 * A candidate at work beside the active model: it scores the same rows, touches neither scores nor alarms, and counts
 * where it differs.
 */
import type { Evidence, RecordBatch, ShadowDifference, ShadowReport } from '@edgeward/shared/contracts';
import { AlarmCounter, type AlarmCounts, noAlarms } from './alarm-counter.js';
import { maxGapMsOf } from './card.js';
import type { LoadedModel } from './engines.js';
import { type Judge, judgeBy } from './judge.js';
import type { Judgement } from './judgement.js';
import { lackingFields } from './seen-schemas.js';

/** What the active model said of a batch. */
export type Verdict = Pick<Judgement, 'anomaly' | 'warmUp' | 'evidence'>;

/** Looks on as batches are scored; calls do not overlap and come in the order of the batches. */
export interface Observer {
  /** @param active  undefined where no model scored them */
  take(batch: RecordBatch, active: Verdict | undefined): Promise<void>;
}

export interface ShadowCounts {
  readonly candidate: AlarmCounts;
  readonly active: AlarmCounts;
  /** Rows that both judged alike. */
  readonly agreed: number;
  /** Alarms of the active model in which the candidate flagged a row too. */
  readonly reproduced: number;
}

const none: ShadowCounts = { candidate: noAlarms, active: noAlarms, agreed: 0, reproduced: 0 };
/** The newest. */
const maxDifferences = 20;
const toldDifferences = 5;
const toldChannels = 2;

export class ShadowRun implements Observer {
  readonly model: LoadedModel;
  readonly #run: Judge;
  readonly #candidate: AlarmCounter;
  readonly #active: AlarmCounter;
  /** Devices whose present alarm of the active model was not flagged by the candidate yet. */
  readonly #unmatched = new Set<string>();
  readonly #differences: ShadowDifference[] = [];
  readonly #open = new Map<string, ShadowDifference>();
  readonly #onTaken: () => void;
  #agreed: number;
  #reproduced: number;

  /** @param before  counts of an earlier start to go on from */
  constructor(model: LoadedModel, onTaken: () => void, before: ShadowCounts = none) {
    const maxGapMs = maxGapMsOf(model.bundle.card);
    this.model = model;
    this.#run = judgeBy(model);
    this.#onTaken = onTaken;
    this.#candidate = new AlarmCounter(maxGapMs, before.candidate);
    this.#active = new AlarmCounter(maxGapMs, before.active);
    this.#agreed = before.agreed;
    this.#reproduced = before.reproduced;
  }

  get counts(): ShadowCounts {
    return {
      candidate: this.#candidate.counts,
      active: this.#active.counts,
      agreed: this.#agreed,
      reproduced: this.#reproduced,
    };
  }

  report(): ShadowReport {
    const { candidate, active, agreed, reproduced } = this.counts;
    return {
      rows: candidate.rows,
      deviceHours: Math.round(candidate.deviceMs / 36_000) / 100,
      devices: candidate.devices,
      alarms: { candidate: candidate.alarms, active: active.alarms, reproduced },
      flagged: { candidate: candidate.flagged, active: active.flagged },
      agreed,
      differences: this.#differences.slice(-toldDifferences),
    };
  }

  async take(batch: RecordBatch, active: Verdict | undefined): Promise<void> {
    if (lackingFields(this.model.bundle.card.fields, batch.schema).length > 0) return;
    const own = await this.#run.judge(batch);
    for (let r = 0; r < batch.time.length; r++) {
      if (own.warmUp[r] || active?.warmUp[r]) continue;
      this.#compare(batch, r, own.anomaly[r] === 1, active?.anomaly[r] === 1);
    }
    this.#explain(batch, own.evidence, 'candidate');
    if (active) this.#explain(batch, active.evidence, 'active');
    this.#onTaken();
  }

  #compare(batch: RecordBatch, r: number, candidate: boolean, active: boolean): void {
    const device = batch.schema.devices[batch.device[r]!]!;
    this.#candidate.row(batch, r, candidate);
    if (this.#active.row(batch, r, active)) this.#unmatched.add(device);
    if (this.#unmatched.has(device) && this.#candidate.isOpen(device)) {
      this.#unmatched.delete(device);
      this.#reproduced += 1;
    }
    if (!this.#active.isOpen(device)) this.#unmatched.delete(device);
    if (candidate === active) this.#agreed += 1;
    else this.#differ(device, batch.time[r]!, candidate ? 'candidate' : 'active');
  }

  #differ(device: string, atMs: number, by: ShadowDifference['by']): void {
    const open = this.#open.get(device);
    const isNear = open?.by === by && (by === 'candidate' ? this.#candidate : this.#active).isOpen(device);
    if (open && isNear && this.#differences.includes(open)) {
      this.#replace(open, { ...open, toMs: Math.max(open.toMs, atMs), rows: open.rows + 1 });
      return;
    }
    const difference = { device, by, fromMs: atMs, toMs: atMs, rows: 1, channels: [] };
    this.#differences.push(difference);
    if (this.#differences.length > maxDifferences) this.#differences.shift();
    this.#open.set(device, difference);
  }

  #replace(old: ShadowDifference, difference: ShadowDifference): void {
    this.#differences[this.#differences.indexOf(old)] = difference;
    this.#open.set(difference.device, difference);
  }

  /** With the channels of the first row that is explained. */
  #explain(batch: RecordBatch, evidence: readonly Evidence[], by: ShadowDifference['by']): void {
    for (const { at, channels } of evidence) {
      const open = this.#open.get(batch.schema.devices[batch.device[at]!]!);
      const atMs = batch.time[at]!;
      if (open?.by !== by || open.channels.length > 0 || atMs < open.fromMs || atMs > open.toMs) continue;
      if (this.#differences.includes(open))
        this.#replace(open, { ...open, channels: channels.slice(0, toldChannels).map(({ field }) => field) });
    }
  }
}

/** How a model that took over does, in its first hours. */
export class AlarmWatch implements Observer {
  readonly maxGapMs: number;
  readonly #counter: AlarmCounter;
  readonly #onTaken: () => void;

  constructor(maxGapMs: number, onTaken: () => void, before: AlarmCounts = noAlarms) {
    this.maxGapMs = maxGapMs;
    this.#counter = new AlarmCounter(maxGapMs, before);
    this.#onTaken = onTaken;
  }

  get counts(): AlarmCounts {
    return this.#counter.counts;
  }

  async take(batch: RecordBatch, active: Verdict | undefined): Promise<void> {
    if (!active) return;
    for (let r = 0; r < batch.time.length; r++)
      if (!active.warmUp[r]) this.#counter.row(batch, r, active.anomaly[r] === 1);
    this.#onTaken();
  }
}
