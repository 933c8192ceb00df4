/** The newest hour or so of every device, in memory, for plots. Rebuilt from the journal at start. */
import { numberOf } from '@edgeward/shared/batch';
import type { Delivery, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import type { LiveUpdate, SeriesQuery, SeriesView } from './views.js';

/** Rows kept a device: an hour at 1 Hz. */
const capacity = 3600;

/** A ring of rows, as columns. */
export class History {
  readonly gateway: string;
  readonly device: string;
  schema: Schema;
  model: string | null = null;
  threshold: number | null = null;
  #columns: Map<string, Float64Array>;
  readonly #time = new Float64Array(capacity);
  readonly #score = new Float32Array(capacity);
  readonly #anomaly = new Uint8Array(capacity);
  readonly #quality = new Uint16Array(capacity);
  #written = 0;

  constructor(gateway: string, device: string, schema: Schema) {
    this.gateway = gateway;
    this.device = device;
    this.schema = schema;
    this.#columns = columnsFor(schema);
  }

  get size(): number {
    return Math.min(this.#written, capacity);
  }

  /** A device whose fields changed begins a new history. */
  use(schema: Schema): void {
    const same =
      schema.fields.length === this.#columns.size &&
      schema.fields.every(({ name }) => this.#columns.has(name));
    this.schema = schema;
    if (same) return;
    this.#columns = columnsFor(schema);
    this.#written = 0;
  }

  push({ batch }: Delivery, i: number): void {
    const at = this.#written % capacity;
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
    const at = (this.#written - 1) % capacity;
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
      const time = this.#time[i % capacity]!;
      if (time >= fromMs && time <= toMs) rows.push(i % capacity);
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

function columnsFor(schema: Schema): Map<string, Float64Array> {
  return new Map(schema.fields.map(({ name }) => [name, new Float64Array(capacity)]));
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

export class Live {
  readonly #histories = new Map<string, History>();

  all(): History[] {
    return [...this.#histories.values()].sort((a, b) =>
      key(a.gateway, a.device) < key(b.gateway, b.device) ? -1 : 1,
    );
  }

  get(gateway: string, device: string): History | undefined {
    return this.#histories.get(key(gateway, device));
  }

  /** @returns what open pages should be told */
  add(deliveries: readonly Delivery[]): LiveUpdate[] {
    return deliveries.flatMap(delivery => this.#addOne(delivery));
  }

  #addOne(delivery: Delivery): LiveUpdate[] {
    const { gateway, batch } = delivery;
    const rows = new Map<History, number[]>();
    const histories = batch.schema.devices.map(device => this.#of(gateway, device, batch.schema));
    for (let i = 0; i < batch.time.length; i++) {
      const history = histories[batch.device[i]!]!;
      history.push(delivery, i);
      getOrMake(rows, history, () => []).push(i);
    }
    for (const history of rows.keys()) history.model = batch.model ?? history.model;
    for (const { at, threshold } of batch.evidence ?? []) histories[batch.device[at]!]!.threshold = threshold;
    return [...rows].map(([history, indexes]) => toUpdate(history, delivery, indexes));
  }

  #of(gateway: string, device: string, schema: Schema): History {
    const history = getOrMake(
      this.#histories,
      key(gateway, device),
      () => new History(gateway, device, schema),
    );
    if (history.schema !== schema) history.use(schema);
    return history;
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
