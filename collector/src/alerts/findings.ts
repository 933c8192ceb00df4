/** What one delivery says of each device: stretches of quiet rows, and the rows that are worth a look. */
import { hasBit, numberOf } from '@edgeward/shared/batch';
import type { ChannelEvidence, Delivery, Evidence, Field, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { isNoted, watchedQuality } from '../noted.js';

export interface FoundChannel extends ChannelEvidence {
  readonly unit: string | null;
}

/** One detector's word on one row. */
export interface Finding {
  readonly detector: Evidence['detector'];
  readonly source: string;
  readonly score: number;
  readonly threshold: number;
  readonly channels: readonly FoundChannel[];
}

export interface QuietRows {
  readonly quiet: number;
  /** Latest time among them, and the time of the last, ms. */
  readonly latestMs: number;
  readonly lastMs: number;
}

export interface NotedRow {
  readonly timeMs: number;
  readonly epoch: string;
  readonly row: number;
  /** Of models and rules; empty if only the quality is bad. */
  readonly findings: readonly Finding[];
  /** Set where a channel is stuck or out of range. */
  readonly quality: Finding | undefined;
}

export type Step = QuietRows | NotedRow;

/** One device's rows of one delivery, in their order. */
export interface DeviceSteps {
  readonly device: string;
  readonly steps: readonly Step[];
}

export function stepsOf(delivery: Delivery): DeviceSteps[] {
  const { batch } = delivery;
  const builders = new Map<number, StepsBuilder>();
  const evidence = evidenceByRow(batch);
  const lastGiven = new Map<number, readonly Evidence[]>();
  for (let i = 0; i < batch.time.length; i++) {
    const device = batch.device[i]!;
    let builder = builders.get(device);
    if (!builder) {
      builder = new StepsBuilder();
      builders.set(device, builder);
    }
    const given = evidence.get(i);
    if (given) lastGiven.set(device, given);
    if (isNoted(batch, i))
      builder.add(notedRow(delivery, i, given ?? unexplained(batch, i, lastGiven.get(device))));
    else builder.addQuiet(timeOf(delivery, i));
  }
  return [...builders].map(([index, builder]) => ({
    device: batch.schema.devices[index]!,
    steps: builder.take(),
  }));
}

/** A row whose time is no time is taken to be of the moment in which it came. */
function timeOf({ batch, ingestedMs }: Delivery, i: number): number {
  return finite(batch.time[i]!, ingestedMs);
}

function finite(value: number, otherwise: number): number {
  return Number.isFinite(value) ? value : otherwise;
}

class StepsBuilder {
  readonly #steps: Step[] = [];
  #quiet = 0;
  #latestMs = 0;
  #lastMs = 0;

  addQuiet(timeMs: number): void {
    this.#latestMs = this.#quiet === 0 ? timeMs : Math.max(this.#latestMs, timeMs);
    this.#lastMs = timeMs;
    this.#quiet += 1;
  }

  add(row: NotedRow): void {
    this.#endQuiet();
    this.#steps.push(row);
  }

  take(): Step[] {
    this.#endQuiet();
    return this.#steps;
  }

  #endQuiet(): void {
    if (this.#quiet > 0)
      this.#steps.push({ quiet: this.#quiet, latestMs: this.#latestMs, lastMs: this.#lastMs });
    this.#quiet = 0;
  }
}

function evidenceByRow(batch: RecordBatch): Map<number, Evidence[]> {
  const found = new Map<number, Evidence[]>();
  for (const evidence of batch.evidence ?? []) {
    const others = found.get(evidence.at);
    if (others) others.push(evidence);
    else found.set(evidence.at, [evidence]);
  }
  return found;
}

function notedRow(delivery: Delivery, i: number, evidence: readonly Evidence[]): NotedRow {
  const { batch, epoch } = delivery;
  const flagged = batch.anomaly?.[i] === 1;
  return {
    timeMs: timeOf(delivery, i),
    epoch,
    row: batch.row[i]!,
    findings: flagged ? evidence.map(one => findingOf(batch, one)) : [],
    quality: (batch.quality[i]! & watchedQuality) === 0 ? undefined : qualityFinding(batch, i),
  };
}

/**
 * For a flagged row whose agent gave no reasons: of a long alarm it gives them for some rows only, so they are those of
 * the last row of the device that had some, without its channels.
 */
function unexplained(
  batch: RecordBatch,
  at: number,
  last: readonly Evidence[] | undefined,
): readonly Evidence[] {
  const score = batch.score?.[at] ?? Number.NaN;
  const known = Number.isNaN(score) ? 1 : score;
  const nobody = { detector: likelyOf(batch), source: batch.model ?? 'unknown', threshold: known };
  return (last ?? [nobody]).map(one => ({ ...one, at, score: known, channels: [] }));
}

/** Rules give reasons in each block, but of a block that is full of them some devices have none. */
function likelyOf({ model, evidence = [] }: RecordBatch): Evidence['detector'] {
  if (model !== undefined) return 'forest';
  return evidence.some(({ detector }) => detector === 'rule') ? 'rule' : 'surprise';
}

/** Numbers that JSON cannot hold would come back from the store as something else. */
function findingOf(batch: RecordBatch, { detector, source, score, threshold, channels }: Evidence): Finding {
  return {
    detector,
    source,
    score: finite(score, 1),
    threshold: finite(threshold, 1),
    channels: channels.map(channel => foundChannel(batch, channel)),
  };
}

function foundChannel(batch: RecordBatch, channel: ChannelEvidence): FoundChannel {
  const { field, value, expected, of, limit, direction, weight } = channel;
  return {
    field,
    unit: unitWithin(of, unitOf(batch, field)),
    value: value !== null && Number.isFinite(value) ? value : null,
    ...(expected?.every(Number.isFinite) && { expected }),
    ...(of !== undefined && { of }),
    ...(limit !== undefined && Number.isFinite(limit) && { limit }),
    direction,
    weight: finite(weight, 0),
  };
}

/** The unit of what a window says: a number of values has none, a rate is per second. */
function unitWithin(of: string | undefined, unit: string | null): string | null {
  if (of?.startsWith('count(')) return null;
  return of !== undefined && /(^|\()rate\(/.test(of) ? `${unit ?? '1'}/s` : unit;
}

function unitOf(batch: RecordBatch, name: string): string | null {
  return batch.schema.fields.find(field => field.name === name)?.unit ?? null;
}

/** Score and threshold are both 1: bad quality is a fact, not a matter of degree. */
function qualityFinding(batch: RecordBatch, i: number): Finding {
  const bad = batch.schema.fields.flatMap((field, f) => {
    const bits = batch.fieldQuality?.[f]?.[i] ?? 0;
    return (bits & watchedQuality) === 0 ? [] : [{ field, f, bits }];
  });
  const outOfRange =
    bad.length > 0 ? bad.some(one => (one.bits & Quality.outOfRange) !== 0) : isOut(batch.quality[i]!);
  return {
    detector: 'quality',
    source: outOfRange ? 'outOfRange' : 'stuck',
    score: 1,
    threshold: 1,
    channels: bad.map(({ field, f, bits }) => badChannel(batch, field, f, i, isOut(bits), bad.length)),
  };
}

function isOut(bits: number): boolean {
  return (bits & Quality.outOfRange) !== 0;
}

function badChannel(
  batch: RecordBatch,
  field: Field,
  f: number,
  i: number,
  outOfRange: boolean,
  among: number,
): FoundChannel {
  const value = hasBit(batch.missing?.[f], i) ? Number.NaN : numberOf(batch, f, i);
  const bounded = field.min !== undefined && field.max !== undefined;
  return {
    field: field.name,
    unit: field.unit ?? null,
    value: Number.isFinite(value) ? value : null,
    ...(outOfRange && bounded && { expected: [field.min, field.max] as const }),
    direction: outOfRange ? sideOf(field, value) : 'unusual',
    weight: 1 / among,
  };
}

function sideOf(field: Field, value: number): ChannelEvidence['direction'] {
  if (field.max !== undefined && value > field.max) return 'high';
  return field.min !== undefined && value < field.min ? 'low' : 'unusual';
}
