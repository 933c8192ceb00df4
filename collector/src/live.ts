/** The newest hour or so of every device, in memory, for plots. Rebuilt from the journal at start. */
import { numberOf } from '@edgeward/shared/batch';
import type { Delivery, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import type { LiveUpdate, SeriesQuery, SeriesView } from './views.js';

/** Rows kept a device: an hour at 1 Hz. */
const capacity = 3600;
/** Room that a device has at first, and that is left to it when room gets scarce: a minute at 1 Hz. */
const leastRoom = 64;
/** Over all devices: an hour of some 250 devices with 5 fields, or a minute of some 2500 with 30. */
const defaultMaxBytes = 64 * 1024 * 1024;
/** What an array costs besides its elements, about. */
const arrayBytes = 256;

/** A ring of rows, as columns; its room doubles as rows come, up to the capacity. */
export class History {
  readonly gateway: string;
  readonly device: string;
  schema: Schema;
  model: string | null = null;
  threshold: number | null = null;
  #columns: Map<string, Float64Array>;
  #time = new Float64Array(leastRoom);
  #score = new Float32Array(leastRoom);
  #anomaly = new Uint8Array(leastRoom);
  #quality = new Uint16Array(leastRoom);
  #written = 0;

  constructor(gateway: string, device: string, schema: Schema) {
    this.gateway = gateway;
    this.device = device;
    this.schema = schema;
    this.#columns = columnsFor(schema, leastRoom);
  }

  get size(): number {
    return Math.min(this.#written, this.#room);
  }

  /** Memory of its columns. */
  get bytes(): number {
    return (this.#columns.size + 4) * arrayBytes + this.#room * (8 * this.#columns.size + 8 + 4 + 1 + 2);
  }

  get #room(): number {
    return this.#time.length;
  }

  /** A device whose fields changed begins a new history. */
  use(schema: Schema): void {
    const same =
      schema.fields.length === this.#columns.size &&
      schema.fields.every(({ name }) => this.#columns.has(name));
    this.schema = schema;
    if (same) return;
    this.#columns = columnsFor(schema, this.#room);
    this.#written = 0;
  }

  /** Leaves it the newest minute. */
  cut(): void {
    if (this.#room > leastRoom) this.#resize(leastRoom);
  }

  #resize(room: number): void {
    const kept = Math.min(this.size, room);
    const slots = Array.from({ length: kept }, (_, i) => (this.#written - kept + i) % this.#room);
    const moved = <T extends NumberColumn>(from: T, to: T): T => {
      for (let i = 0; i < kept; i++) to[i] = from[slots[i]!]!;
      return to;
    };
    for (const [name, column] of this.#columns)
      this.#columns.set(name, moved(column, new Float64Array(room)));
    this.#score = moved(this.#score, new Float32Array(room));
    this.#anomaly = moved(this.#anomaly, new Uint8Array(room));
    this.#quality = moved(this.#quality, new Uint16Array(room));
    this.#time = moved(this.#time, new Float64Array(room)); // the last, because it tells the room
    this.#written = kept;
  }

  push({ batch }: Delivery, i: number): void {
    if (this.#written === this.#room && this.#room < capacity)
      this.#resize(Math.min(2 * this.#room, capacity));
    const at = this.#written % this.#room;
    this.#time[at] = batch.time[i]!;
    this.#score[at] = batch.score?.[i] ?? Number.NaN;
    this.#anomaly[at] = batch.anomaly?.[i] ?? 0;
    this.#quality[at] = batch.quality[i]!;
    batch.schema.fields.forEach(({ name }, f) => {
      this.#columns.get(name)![at] = numberOf(batch, f, i);
    });
    this.#written += 1;
  }

  last() {
    const at = (this.#written - 1) % this.#room;
    const values = Object.fromEntries(
      [...this.#columns].map(([name, column]) => [name, orNull(column[at]!)]),
    );
    return {
      time: this.#time[at]!,
      score: orNull(this.#score[at]!),
      anomaly: this.#anomaly[at] === 1,
      quality: this.#quality[at]!,
      values,
    };
  }

  series(query: SeriesQuery): SeriesView {
    const rows = this.#thinned(this.#rowsBetween(query.fromMs, query.toMs), query);
    const column = (name: string) => rows.map(at => orNull(this.#columns.get(name)![at]!));
    return {
      gateway: this.gateway,
      device: this.device,
      time: rows.map(at => this.#time[at]!),
      values: Object.fromEntries(query.fields.map(name => [name, column(name)])),
      score: rows.map(at => orNull(this.#score[at]!)),
      anomaly: rows.map(at => this.#anomaly[at] === 1),
      quality: rows.map(at => this.#quality[at]!),
    };
  }

  /** Slots in time order: late rows stand where they belong. */
  #rowsBetween(fromMs: number, toMs: number): number[] {
    const rows: number[] = [];
    for (let i = this.#written - this.size; i < this.#written; i++) {
      const time = this.#time[i % this.#room]!;
      if (time >= fromMs && time <= toMs) rows.push(i % this.#room);
    }
    return rows.sort((a, b) => this.#time[a]! - this.#time[b]!);
  }

  /** Each span keeps its lowest and highest value of every field asked for, and every flagged row. */
  #thinned(rows: number[], { fields, maxPoints }: SeriesQuery): number[] {
    if (rows.length <= maxPoints) return rows;
    const perSpan = Math.max(2, 2 * fields.length);
    const span = Math.ceil(rows.length / Math.max(1, Math.floor(maxPoints / perSpan)));
    const kept = new Set<number>();
    for (let start = 0; start < rows.length; start += span) {
      const part = rows.slice(start, start + span);
      kept.add(part[0]!);
      for (const name of fields) for (const at of extremes(part, this.#columns.get(name)!)) kept.add(at);
      for (const at of part) if (this.#anomaly[at] === 1) kept.add(at);
    }
    return rows.filter(at => kept.has(at));
  }
}

type NumberColumn = Float64Array | Float32Array | Uint16Array | Uint8Array;

function columnsFor(schema: Schema, room: number): Map<string, Float64Array> {
  return new Map(schema.fields.map(({ name }) => [name, new Float64Array(room)]));
}

function extremes(rows: readonly number[], column: Float64Array): number[] {
  let [low, high] = [rows[0]!, rows[0]!];
  for (const at of rows) {
    if (!(column[at]! >= column[low]!)) low = at;
    if (column[at]! > column[high]!) high = at;
  }
  return [low, high];
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The device that was updated longest ago gives up its room first. */
export class Live {
  /** In the order of their last update. */
  readonly #histories = new Map<string, History>();
  readonly #maxBytes: number;
  readonly #ownSchemas = new WeakMap<Schema, Schema[]>();
  #bytes = 0;

  constructor({ maxBytes = defaultMaxBytes }: { maxBytes?: number } = {}) {
    this.#maxBytes = maxBytes;
  }

  /** Memory of all columns. */
  get bytes(): number {
    return this.#bytes;
  }

  all(): History[] {
    return [...this.#histories.values()].sort((a, b) =>
      key(a.gateway, a.device) < key(b.gateway, b.device) ? -1 : 1,
    );
  }

  get(gateway: string, device: string): History | undefined {
    return this.#histories.get(key(gateway, device));
  }

  /**
   * @param someoneLooks  false: nobody is told, so nothing is made for it
   * @returns what open pages should be told
   */
  add(deliveries: readonly Delivery[], someoneLooks = true): LiveUpdate[] {
    return deliveries.flatMap(delivery => this.#addOne(delivery, someoneLooks));
  }

  /** Device by device, so that a block of many never holds more than the limit at any time. */
  #addOne(delivery: Delivery, someoneLooks: boolean): LiveUpdate[] {
    const { gateway, batch } = delivery;
    const { schema } = batch;
    const rows = new Map<number, number[]>();
    for (const [i, device] of batch.device.entries()) getOrMake(rows, device, () => []).push(i);
    const thresholds = new Map(
      (batch.evidence ?? []).map(({ at, threshold }) => [batch.device[at]!, threshold]),
    );
    return [...rows].flatMap(([index, of]) => {
      const own = this.#schemaOf(schema, index);
      const history = this.#take(gateway, own.devices[0]!, own);
      for (const i of of) history.push(delivery, i);
      history.model = batch.model ?? history.model;
      history.threshold = thresholds.get(index) ?? history.threshold;
      this.#put(history);
      return someoneLooks ? [toUpdate(history, delivery, of)] : [];
    });
  }

  /** What a history keeps must not hold the names of all the others. */
  #schemaOf(schema: Schema, index: number): Schema {
    const known = this.#ownSchemas.get(schema) ?? [];
    this.#ownSchemas.set(schema, known);
    known[index] ??= { ...schema, devices: [schema.devices[index]!] };
    return known[index];
  }

  #take(gateway: string, device: string, schema: Schema): History {
    const history = this.get(gateway, device) ?? new History(gateway, device, schema);
    if (this.#histories.delete(key(gateway, device))) this.#bytes -= history.bytes;
    history.use(schema);
    return history;
  }

  #put(history: History): void {
    this.#histories.set(key(history.gateway, history.device), history);
    this.#bytes += history.bytes;
    if (this.#bytes > this.#maxBytes) this.#makeRoom();
  }

  /**
   * An eighth more than is needed, so that it is not done for every row. Cuts first: a device of which a minute is
   * left is still on the page.
   */
  #makeRoom(): void {
    const wanted = this.#maxBytes * (7 / 8);
    for (const history of this.#histories.values()) {
      if (this.#bytes <= wanted) return;
      this.#bytes -= history.bytes;
      history.cut();
      this.#bytes += history.bytes;
    }
    for (const [name, { bytes }] of this.#histories) {
      if (this.#bytes <= wanted) return;
      this.#histories.delete(name);
      this.#bytes -= bytes;
    }
  }
}

function toUpdate({ gateway, device }: History, { batch }: Delivery, rows: readonly number[]): LiveUpdate {
  const values = batch.schema.fields.map(
    ({ name }, f) => [name, rows.map(i => orNull(numberOf(batch, f, i)))] as const,
  );
  return {
    gateway,
    device,
    type: batch.schema.type,
    time: rows.map(i => batch.time[i]!),
    values: Object.fromEntries(values),
    score: rows.map(i => orNull(batch.score?.[i] ?? Number.NaN)),
    anomaly: rows.map(i => batch.anomaly?.[i] === 1),
  };
}

function key(gateway: string, device: string): string {
  return `${gateway}/${device}`;
}
