/**
 * Halves the resolution of normal data when the outbox is full, and keeps what a later look would need.
 *
 * Of every four rows of a device two stay: those that lie farthest from the mean of the four, so peaks and dips
 * survive as in min-max downsampling. Always kept: rows in alarm or with evidence, a device's first and last row, the
 * smallest and largest value of every field, and every row at which a state, a text or the quality changes.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { selectRows } from '@edgeward/shared/select-rows';

/** Rows that are looked at together; half of them stay. */
const bucketRows = 4;

/** Whether anything in it is in alarm: such a block is the last to be given up. */
export function isAnomalous({ anomaly, evidence }: Pick<RecordBatch, 'anomaly' | 'evidence'>): boolean {
  return (evidence?.length ?? 0) > 0 || (anomaly?.some(flag => flag !== 0) ?? false);
}

/**
 * Thins neighbouring blocks as one stretch: a block of one row a device has nothing to give by itself.
 * @param run  batches of one schema, in order
 * @returns for each its rows that stay (itself if all do, undefined if none); undefined if nothing can be removed
 */
export function thin(run: readonly RecordBatch[]): (RecordBatch | undefined)[] | undefined {
  const stretch = new Stretch(run);
  const keep = new Uint8Array(stretch.rows);
  for (const places of stretch.devices()) {
    const fields = stretch.numericFields(places);
    protect(stretch, places, fields, keep);
    for (let at = 0; at < places.length; at += bucketRows)
      thinBucket(places.subarray(at, at + bucketRows), fields, at, keep);
  }
  return keep.includes(0) ? run.map((batch, b) => stretch.kept(batch, b, keep)) : undefined;
}

/** One field of one device over the stretch; NaN where it has no value. */
interface Channel {
  readonly values: Float64Array;
  readonly low: number;
  readonly high: number;
}

/** Several batches seen as one; a place counts rows over all of them. */
class Stretch {
  readonly rows: number;
  readonly #run: readonly RecordBatch[];
  readonly #offsets: number[] = [];
  readonly #batchAt: Uint32Array;

  constructor(run: readonly RecordBatch[]) {
    this.#run = run;
    let rows = 0;
    for (const batch of run) {
      this.#offsets.push(rows);
      rows += batch.time.length;
    }
    this.rows = rows;
    this.#batchAt = new Uint32Array(rows);
    for (const [b, offset] of this.#offsets.entries())
      this.#batchAt.fill(b, offset, offset + run[b]!.time.length);
  }

  /** The places of each device's rows, in order. */
  devices(): Uint32Array[] {
    const places = new Map<number, number[]>();
    for (let place = 0; place < this.rows; place++) {
      const { batch, i } = this.at(place);
      const device = batch.device[i]!;
      const known = places.get(device);
      if (known) known.push(place);
      else places.set(device, [place]);
    }
    return [...places.values()].map(list => Uint32Array.from(list));
  }

  at(place: number): { batch: RecordBatch; i: number } {
    const b = this.#batchAt[place]!;
    return { batch: this.#run[b]!, i: place - this.#offsets[b]! };
  }

  numericFields(places: Uint32Array): Channel[] {
    return this.#run[0]!.schema.fields.flatMap(({ kind }, f) =>
      kind === 'float' || kind === 'int' ? [this.#channel(f, places)] : [],
    );
  }

  #channel(field: number, places: Uint32Array): Channel {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const values = new Float64Array(places.length);
    for (const [at, place] of places.entries()) {
      const { batch, i } = this.at(place);
      const value = hasBit(batch.missing?.[field], i) ? Number.NaN : Number(batch.values[field]![i]);
      values[at] = value;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return { values, low, high };
  }

  kept(batch: RecordBatch, b: number, keep: Uint8Array): RecordBatch | undefined {
    const offset = this.#offsets[b]!;
    const rows: number[] = [];
    for (let i = 0; i < batch.time.length; i++) if (keep[offset + i] !== 0) rows.push(i);
    if (rows.length === batch.time.length) return batch;
    return rows.length === 0 ? undefined : selectRows(batch, Uint32Array.from(rows));
  }
}

function protect(stretch: Stretch, places: Uint32Array, fields: readonly Channel[], keep: Uint8Array): void {
  keep[places[0]!] = 1;
  keep[places.at(-1)!] = 1;
  for (const { values, low, high } of fields) {
    if (low > high) continue; // it has no value at all
    keep[places[values.indexOf(low)]!] = 1;
    keep[places[values.indexOf(high)]!] = 1;
  }
  for (let at = 0; at < places.length; at++) {
    if (inAlarm(stretch, places[at]!)) keep[places[at]!] = 1;
    if (at > 0 && !sameState(stretch.at(places[at - 1]!), stretch.at(places[at]!))) keep[places[at]!] = 1;
  }
}

function inAlarm(stretch: Stretch, place: number): boolean {
  const { batch, i } = stretch.at(place);
  return (batch.anomaly?.[i] ?? 0) !== 0 || (batch.evidence?.some(({ at }) => at === i) ?? false);
}

interface Place {
  readonly batch: RecordBatch;
  readonly i: number;
}

/** Whether quality, states, texts, and which values are missing are as in the row before. */
function sameState(before: Place, after: Place): boolean {
  if (before.batch.quality[before.i] !== after.batch.quality[after.i]) return false;
  return after.batch.schema.fields.every(({ kind }, f) => {
    const missing = ({ batch, i }: Place) => hasBit(batch.missing?.[f], i);
    if (missing(before) !== missing(after)) return false;
    if (kind !== 'bool' && kind !== 'string') return true;
    return before.batch.values[f]![before.i] === after.batch.values[f]![after.i];
  });
}

/** @param from  where the bucket begins within its device's rows */
function thinBucket(bucket: Uint32Array, fields: readonly Channel[], from: number, keep: Uint8Array): void {
  const free: { place: number; deviation: number }[] = [];
  let room = Math.ceil(bucket.length / 2);
  for (const [at, place] of bucket.entries()) {
    if (keep[place] !== 0) room -= 1;
    else free.push({ place, deviation: deviationOf(fields, from, bucket.length, at) });
  }
  free.sort((a, b) => b.deviation - a.deviation); // stable: of equals the earlier stays
  for (const { place } of free.slice(0, Math.max(0, room))) keep[place] = 1;
}

/** Farthest of any field from the mean of its bucket, as a part of that field's span. */
function deviationOf(fields: readonly Channel[], from: number, length: number, at: number): number {
  let farthest = 0;
  for (const { values, low, high } of fields) {
    if (!(high > low)) continue;
    const mean = meanOf(values, from, length);
    const deviation = Math.abs(values[from + at]! - mean) / (high - low);
    if (deviation > farthest) farthest = deviation;
  }
  return farthest;
}

function meanOf(values: Float64Array, from: number, length: number): number {
  let [sum, n] = [0, 0];
  for (let i = from; i < from + length; i++) {
    if (Number.isNaN(values[i])) continue;
    sum += values[i]!;
    n += 1;
  }
  return sum / n;
}
