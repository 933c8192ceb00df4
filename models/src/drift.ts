/**
 * Whether devices are still what their model was trained on. Each device is looked at by itself: one sensor of twenty
 * that wanders off would hardly show in a share over all. Counts by the rows' own time, so that batches may
 * be cut anywhere and nothing is kept but counts and a few samples.
 */
import type { DeviceDrift, DriftingChannel, RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import { type Card, channelRangesOf } from './card.js';
import { usableColumns } from './channels.js';
import type { Judgement } from './judgement.js';
import { type DeviceMemory, type Memory, readBack, written } from './memory.js';

export const driftRule = {
  /** A device's last 24 of these are looked at, once each has ended: most machines live by the day. */
  partMs: 3_600_000,
  parts: 24,
  /** A part of fewer rows goes on until it has them. */
  leastRows: 10,
  /**
   * Healthy rows lie outside in 2 of 100 over the long run, but in runs, for hours: so no test that takes rows for
   * independent, but a share that is far off over a whole day.
   */
  farShare: 0.5,
  /** Below it a channel that drifted is back. */
  nearShare: 0.2,
} as const;

/** Devices of a type; more are not watched. */
const maxDevices = 1000;
/** For the present median: of six hours. */
const [samples, sampleEveryMs] = [32, 675_000];
/** The sensor is at fault, and has an incident for it. */
const faultySensor = Quality.outOfRange | Quality.stuck;

interface Watched {
  /** Null = the score. */
  readonly field: string | null;
  readonly low: number;
  readonly high: number;
}

/** A drift, and when the last row of its device that counted was seen, ms. */
export interface SeenDrift extends DeviceDrift {
  readonly seenMs: number;
}

/** From an earlier start. */
export interface DriftsBefore {
  /** Told then, of any type and revision. */
  readonly drifts: readonly SeenDrift[];
  /** What `save` gave, of this type and revision. */
  readonly devices: readonly DeviceMemory[];
}

/** What the watch needs to know of a batch that was judged. */
export type Judged = Pick<Judgement, 'score' | 'anomaly' | 'warmUp'>;

export class DriftWatch {
  readonly card: Card;
  readonly #watched: readonly Watched[];
  readonly #fields: readonly string[];
  readonly #devices = new Map<string, DeviceWatch>();

  /** @throws RangeError for what another version has saved */
  constructor(card: Card, before: DriftsBefore = { drifts: [], devices: [] }) {
    this.card = card;
    this.#watched = watchedOf(card);
    this.#fields = this.#watched.flatMap(({ field }) => field ?? []);
    for (const { type, revision, device, channels, seenMs } of before.drifts.slice(0, maxDevices))
      if (type === card.deviceType && revision === card.revision)
        this.#devices.set(device, new DeviceWatch(this.#watched, seenMs, channels));
    for (const { name, newestMs, numbers } of before.devices) {
      const watch = this.#of(name, newestMs);
      if (watch) readBack(numbers, memory => watch.remember(memory));
    }
  }

  /**
   * Rows in alarm are no drift but a fault; rows that were not judged, or are of a faulty sensor, do not count either.
   * @returns whether a drift has begun or ended
   */
  take(batch: RecordBatch, { score, anomaly, warmUp }: Judged, nowMs: number): boolean {
    const columns: ArrayLike<number>[] = usableColumns(batch, this.#fields);
    if (columns.length < this.#watched.length) columns.push(score);
    const devices = this.#ofBatch(batch, nowMs);
    let changed = false;
    for (let r = 0; r < score.length; r++) {
      if (anomaly[r] || batch.anomaly?.[r] || warmUp[r] || Number.isNaN(score[r])) continue;
      if ((batch.quality[r]! & faultySensor) !== 0) continue;
      if (devices[batch.device[r]!]?.row(batch.time[r]!, columns, r)) changed = true;
    }
    return changed;
  }

  /** Of all devices, as of their last whole part. */
  drifts(): SeenDrift[] {
    const { deviceType: type, revision } = this.card;
    return [...this.#devices].flatMap(([device, { drifting, seenMs }]) =>
      drifting.length > 0 ? [{ type, revision, device, channels: drifting, seenMs }] : [],
    );
  }

  /** What was counted of each device; the time is when it was last seen. */
  save(): DeviceMemory[] {
    return [...this.#devices].map(([name, watch]) => ({
      name,
      newestMs: watch.seenMs,
      numbers: written(memory => watch.remember(memory)),
    }));
  }

  /** Devices not seen since then make room for others; if they come back, they begin anew. @returns which they are */
  forget(sinceMs: number): Set<string> {
    const gone = [...this.#devices].filter(([, { seenMs }]) => seenMs < sinceMs).map(([name]) => name);
    for (const name of gone) this.#devices.delete(name);
    return new Set(gone);
  }

  /** By index; none where there are too many. */
  #ofBatch({ schema, device }: RecordBatch, nowMs: number): (DeviceWatch | undefined)[] {
    const found: (DeviceWatch | undefined)[] = [];
    for (const index of new Set(device)) found[index] = this.#of(schema.devices[index]!, nowMs);
    return found;
  }

  #of(name: string, seenMs: number): DeviceWatch | undefined {
    const isFull = this.#devices.size >= maxDevices && !this.#devices.has(name);
    if (isFull) return undefined;
    const watch = getOrMake(this.#devices, name, () => new DeviceWatch(this.#watched, seenMs));
    watch.seenMs = seenMs;
    return watch;
  }
}

/** A wandering channel has no usual level, and a counter has left its own before long. */
function watchedOf(card: Card): Watched[] {
  const levelled = new Set(
    card.format === 1
      ? card.fields
      : card.channels.plan
          .filter(({ role, take }) => role !== 'wandering' && take === 'value')
          .map(({ field }) => field),
  );
  const channels: Watched[] = channelRangesOf(card)
    .filter(({ field }) => levelled.has(field))
    .map(({ field, expected: [low, high] }) => ({ field, low, high }));
  const { heldOutRows, p99 } = card.metrics;
  return heldOutRows > 0 ? [...channels, { field: null, low: 0, high: p99 }] : channels;
}

/** One device. What is counted is one entry a part and watched channel. */
class DeviceWatch {
  /** When its last row came, by the clock of whoever takes rows. */
  seenMs: number;
  readonly #watched: readonly Watched[];
  readonly #present: Uint32Array;
  readonly #outside: Uint32Array;
  readonly #fromMs = new Float64Array(driftRule.parts);
  /** Parts that have ended, and that which is under way. */
  #parts = 0;
  #rows = 0;
  readonly #told: (DriftingChannel | undefined)[];
  /** Ring of rows. */
  readonly #samples: Float64Array;
  #sampled = 0;
  #sampledMs = Number.NEGATIVE_INFINITY;

  constructor(watched: readonly Watched[], seenMs: number, before: readonly DriftingChannel[] = []) {
    const n = watched.length;
    this.seenMs = seenMs;
    this.#watched = watched;
    this.#present = new Uint32Array(n * driftRule.parts);
    this.#outside = new Uint32Array(n * driftRule.parts);
    this.#samples = new Float64Array(n * samples);
    this.#told = watched.map(({ field }) => before.find(one => one.field === field));
    this.#fromMs.fill(Number.NaN);
  }

  /** Those that are far from usual. */
  get drifting(): DriftingChannel[] {
    return this.#told.flatMap(channel => channel ?? []);
  }

  /** @returns whether a drift of it has begun or ended */
  row(timeMs: number, columns: readonly ArrayLike<number>[], r: number): boolean {
    let changed = false;
    const passedMs = timeMs - this.#fromMs[this.#parts % driftRule.parts]!;
    // Before this part: the clock was wrong when it began.
    if (!(passedMs >= 0)) this.#begin(timeMs);
    else if (passedMs >= driftRule.partMs && this.#rows >= driftRule.leastRows) {
      this.#parts += 1;
      changed = this.#parts >= driftRule.parts && this.#judge();
      this.#begin(timeMs);
    }
    this.#rows += 1;
    this.#count(columns, r);
    if (Math.abs(timeMs - this.#sampledMs) >= sampleEveryMs) this.#sample(timeMs, columns, r);
    return changed;
  }

  /** All but what was told of it. */
  remember(memory: Memory): void {
    this.#parts = memory.count(this.#parts);
    this.#rows = memory.count(this.#rows);
    this.#sampled = memory.count(this.#sampled);
    this.#sampledMs = memory.number(this.#sampledMs);
    for (const values of [this.#fromMs, this.#present, this.#outside, this.#samples]) memory.array(values);
  }

  #begin(timeMs: number): void {
    const part = this.#parts % driftRule.parts;
    const n = this.#watched.length;
    this.#fromMs[part] = timeMs;
    this.#rows = 0;
    this.#present.fill(0, part * n, (part + 1) * n);
    this.#outside.fill(0, part * n, (part + 1) * n);
  }

  #count(columns: readonly ArrayLike<number>[], r: number): void {
    const at = (this.#parts % driftRule.parts) * columns.length;
    for (let c = 0; c < columns.length; c++) {
      const value = columns[c]![r]!;
      if (Number.isNaN(value)) continue;
      const { low, high } = this.#watched[c]!;
      this.#present[at + c]! += 1;
      if (value < low || value > high) this.#outside[at + c]! += 1;
    }
  }

  #sample(timeMs: number, columns: readonly ArrayLike<number>[], r: number): void {
    const at = this.#sampled % samples;
    for (let c = 0; c < columns.length; c++) this.#samples[c * samples + at] = columns[c]![r]!;
    this.#sampled += 1;
    this.#sampledMs = timeMs;
  }

  /** At the end of a part: all of the ring is whole. */
  #judge(): boolean {
    let changed = false;
    for (const [c, told] of this.#told.entries()) {
      const share = this.#share(c);
      if (Number.isNaN(share)) continue;
      const drifts = share >= (told ? driftRule.nearShare : driftRule.farShare);
      if (drifts !== (told !== undefined)) changed = true;
      this.#told[c] = drifts ? this.#tell(c, share, told?.sinceMs ?? this.#sinceMs(c)) : undefined;
    }
    return changed;
  }

  /** NaN where it has too few values. */
  #share(c: number): number {
    const n = this.#watched.length;
    let [present, outside] = [0, 0];
    for (let at = c; at < this.#present.length; at += n) {
      present += this.#present[at]!;
      outside += this.#outside[at]!;
    }
    return present >= driftRule.parts * driftRule.leastRows ? outside / present : Number.NaN;
  }

  /** When the first of the parts began that are far off. */
  #sinceMs(c: number): number {
    const n = this.#watched.length;
    const far = this.#fromMs.filter(
      (_, part) => this.#outside[part * n + c]! >= driftRule.farShare * this.#present[part * n + c]!,
    );
    return Math.min(...(far.length > 0 ? far : this.#fromMs));
  }

  #tell(c: number, share: number, sinceMs: number): DriftingChannel {
    const { field, low, high } = this.#watched[c]!;
    const kept = this.#samples.subarray(c * samples, c * samples + Math.min(this.#sampled, samples));
    const sorted = kept.filter(value => !Number.isNaN(value)).sort();
    const median = sorted[sorted.length >> 1] ?? null;
    return { field, share, expected: [low, high], median, sinceMs };
  }
}
