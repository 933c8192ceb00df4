/** The newest rows of one device, for plots. */
import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import type { SeriesQuery, SeriesView } from './views.js';

/** Rows kept a device: an hour at 1 Hz. */
const capacity = 3600;
/** Room that a device has at first, and the least that is left to it. */
const firstRoom = 8;
/** What a device costs besides its rows, about: its names, its place among the others, the array itself. */
const besideBytes = 600;

/** A row is time, score, flags, then its values, all in one array: an array of its own per column would cost more. */
const [timeAt, scoreAt, flagsAt, valuesAt] = [0, 1, 2, 3];
/** Beside the 16 bits of quality. */
const anomalyFlag = 0x10000;

/** A ring of rows; its room doubles when it is let, up to the capacity. */
export class History {
  readonly gateway: string;
  readonly device: string;
  schema: Schema;
  model: string | null = null;
  threshold: number | null = null;
  /** The higher, the later it was updated. */
  updated = 0;
  /** Of the last block that had rows of it. */
  block = 0;
  #rows: Float64Array;
  #stride: number;
  #room = firstRoom;
  /** Rows there are, and the slot that the next one takes. */
  #size = 0;
  #next = 0;

  constructor(gateway: string, device: string, schema: Schema) {
    this.gateway = gateway;
    this.device = device;
    this.schema = schema;
    this.#stride = strideOf(schema);
    this.#rows = new Float64Array(firstRoom * this.#stride);
  }

  get size(): number {
    return this.#size;
  }

  /** It has given up its room, and is no longer among the others. */
  get isGone(): boolean {
    return this.#rows.length === 0;
  }

  /** For good: whoever still knows it holds on to nothing. */
  leave(): void {
    this.#rows = new Float64Array(0);
  }

  /** Memory it takes. */
  get bytes(): number {
    return besideBytes + 8 * this.#rows.length;
  }

  /** A device whose fields changed begins a new history. */
  use(schema: Schema): void {
    const same =
      schema.fields.length === this.schema.fields.length &&
      schema.fields.every(({ name }, f) => name === this.schema.fields[f]!.name);
    this.schema = schema;
    if (same) return;
    this.#stride = strideOf(schema);
    this.#rows = new Float64Array(firstRoom * this.#stride);
    this.#room = firstRoom;
    this.#size = 0;
    this.#next = 0;
  }

  /** Leaves it the newest rows, as many as asked for or the least there must be. */
  cut(rows: number): void {
    const room = Math.max(rows, firstRoom);
    if (this.#room > room) this.#resize(room);
  }

  /** Bytes that more room would take; 0 = there is some left, or it has all that a device may have. */
  get growth(): number {
    if (this.#size < this.#room || this.#room >= capacity) return 0;
    return 8 * this.#stride * (this.#nextRoom() - this.#room);
  }

  grow(): void {
    this.#resize(this.#nextRoom());
  }

  /** @param columns  of `numbersOf` */
  push(batch: RecordBatch, columns: readonly Float64Array[], i: number): void {
    const rows = this.#rows;
    const at = this.#next * this.#stride;
    rows[at + timeAt] = batch.time[i]!;
    rows[at + scoreAt] = batch.score ? batch.score[i]! : Number.NaN;
    rows[at + flagsAt] = batch.quality[i]! + (batch.anomaly?.[i] === 1 ? anomalyFlag : 0);
    for (let f = 0; f < columns.length; f++) rows[at + valuesAt + f] = columns[f]![i]!;
    this.#next = this.#next + 1 === this.#room ? 0 : this.#next + 1;
    if (this.#size < this.#room) this.#size += 1;
  }

  /** The newest row has no number there. */
  isMissing(field: number): boolean {
    const at = (this.#next === 0 ? this.#room : this.#next) - 1;
    return this.#size > 0 && Number.isNaN(this.#value(at, field));
  }

  last() {
    const at = (this.#next === 0 ? this.#room : this.#next) - 1;
    const values = this.schema.fields.map(({ name }, f) => [name, orNull(this.#value(at, f))] as const);
    return {
      time: this.#time(at),
      score: orNull(this.#score(at)),
      anomaly: this.#isAnomaly(at),
      quality: this.#cell(at, flagsAt) & 0xffff,
      values: Object.fromEntries(values),
    };
  }

  series(query: SeriesQuery): SeriesView {
    const slots = this.#thinned(this.#slotsBetween(query.fromMs, query.toMs), query);
    const column = (name: string) => {
      const f = this.#fieldOf(name);
      return slots.map(at => orNull(this.#value(at, f)));
    };
    return {
      gateway: this.gateway,
      device: this.device,
      time: slots.map(at => this.#time(at)),
      values: Object.fromEntries(query.fields.map(name => [name, column(name)])),
      score: slots.map(at => orNull(this.#score(at))),
      anomaly: slots.map(at => this.#isAnomaly(at)),
      quality: slots.map(at => this.#cell(at, flagsAt) & 0xffff),
    };
  }

  #nextRoom(): number {
    return Math.min(2 * this.#room, capacity);
  }

  #resize(room: number): void {
    const stride = this.#stride;
    const kept = Math.min(this.#size, room);
    const moved = new Float64Array(room * stride);
    const from = (this.#next - kept + this.#room) % this.#room;
    const straight = Math.min(kept, this.#room - from);
    moved.set(this.#rows.subarray(from * stride, (from + straight) * stride));
    moved.set(this.#rows.subarray(0, (kept - straight) * stride), straight * stride);
    this.#rows = moved;
    this.#room = room;
    this.#size = kept;
    this.#next = kept % room;
  }

  /** Slots in time order: late rows stand where they belong. */
  #slotsBetween(fromMs: number, toMs: number): number[] {
    const slots: number[] = [];
    for (let i = this.#room - this.#size; i < this.#room; i++) {
      const at = (this.#next + i) % this.#room;
      const time = this.#time(at);
      if (time >= fromMs && time <= toMs) slots.push(at);
    }
    return slots.sort((a, b) => this.#time(a) - this.#time(b));
  }

  /** Each span keeps its lowest and highest value of every field asked for, and every flagged row. */
  #thinned(slots: number[], { fields, maxPoints }: SeriesQuery): number[] {
    if (slots.length <= maxPoints) return slots;
    const perSpan = Math.max(2, 2 * fields.length);
    const span = Math.ceil(slots.length / Math.max(1, Math.floor(maxPoints / perSpan)));
    const kept = new Set<number>();
    for (let start = 0; start < slots.length; start += span) {
      const part = slots.slice(start, start + span);
      kept.add(part[0]!);
      for (const name of fields) for (const at of this.#extremes(part, this.#fieldOf(name))) kept.add(at);
      for (const at of part) if (this.#isAnomaly(at)) kept.add(at);
    }
    return slots.filter(at => kept.has(at));
  }

  #extremes(slots: readonly number[], f: number): number[] {
    let [low, high] = [slots[0]!, slots[0]!];
    for (const at of slots) {
      if (!(this.#value(at, f) >= this.#value(low, f))) low = at;
      if (this.#value(at, f) > this.#value(high, f)) high = at;
    }
    return [low, high];
  }

  #fieldOf(wanted: string): number {
    return this.schema.fields.findIndex(({ name }) => name === wanted);
  }

  #time(slot: number): number {
    return this.#cell(slot, timeAt);
  }

  #score(slot: number): number {
    return this.#cell(slot, scoreAt);
  }

  #isAnomaly(slot: number): boolean {
    return this.#cell(slot, flagsAt) >= anomalyFlag;
  }

  #value(slot: number, f: number): number {
    return this.#cell(slot, valuesAt + f);
  }

  #cell(slot: number, at: number): number {
    return this.#rows[slot * this.#stride + at]!;
  }
}

function strideOf({ fields }: Schema): number {
  return valuesAt + fields.length;
}

export function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
