/** The newest hour or so of every device, in memory, for plots. Rebuilt from the journal at start. */
import { numberOf } from '@edgeward/shared/batch';
import type { Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { History, orNull } from './live-history.js';
import type { LiveUpdate } from './views.js';

/** Over all devices: an hour of some 250 devices with 5 fields, or a minute of some 2500 with 30. */
const defaultMaxBytes = 64 * 1024 * 1024;
/** Rows left to a device when room gets scarce, a minute at 1 Hz; and when a new one needs still more. */
const [minuteRows, leastRows] = [64, 0];
/** While every device was in so many blocks on average, one that was in none is silent: its room is for those that speak. */
const silentBlocks = 64;

/** One gateway's devices: by name, and by number in the schema that its last block had. */
interface Devices {
  readonly byName: Map<string, History>;
  schema: Schema | undefined;
  model: string | undefined;
  byIndex: (History | undefined)[];
}

/**
 * The device that was updated longest ago gives up its room first, and only a silent one does so that another may keep
 * more rows: else devices that all speak would take the room from each other for ever.
 */
export class Live {
  readonly #gateways = new Map<string, Devices>();
  readonly #maxBytes: number;
  readonly #ownSchemas = new WeakMap<Schema, Schema[]>();
  #bytes = 0;
  #blocks = 0;
  /** A block counts once for each device that it has rows of. */
  #updates = 0;
  /** Nobody who speaks finds more room before so many updates. */
  #fullUntil = 0;

  constructor({ maxBytes = defaultMaxBytes }: { maxBytes?: number } = {}) {
    this.#maxBytes = maxBytes;
  }

  /** Memory of all histories. */
  get bytes(): number {
    return this.#bytes;
  }

  all(): History[] {
    return this.#histories().sort((a, b) =>
      `${a.gateway}/${a.device}` < `${b.gateway}/${b.device}` ? -1 : 1,
    );
  }

  /** All, in no order. */
  *each(): Generator<History, void, void> {
    for (const { byName } of this.#gateways.values()) yield* byName.values();
  }

  /** Of one gateway, in no order. */
  of(gateway: string): History[] {
    return [...(this.#gateways.get(gateway)?.byName.values() ?? [])];
  }

  get(gateway: string, device: string): History | undefined {
    return this.#gateways.get(gateway)?.byName.get(device);
  }

  /**
   * @param someoneLooks  false: nobody is told, so nothing is made for it
   * @returns what open pages should be told
   */
  add(deliveries: readonly Delivery[], someoneLooks = true): LiveUpdate[] {
    for (const delivery of deliveries) this.#take(delivery);
    return someoneLooks ? deliveries.flatMap(toUpdates) : [];
  }

  /** Row by row, so that a block of many devices never holds more than the limit at any time. */
  #take({ gateway, batch }: Delivery): void {
    const devices = this.#devicesOf(gateway, batch);
    const columns = numbersOf(batch);
    this.#blocks += 1;
    for (let i = 0; i < batch.time.length; i++) {
      const history = this.#historyOf(gateway, devices, batch, batch.device[i]!);
      if (history.isGone) continue; // there is not even room for the least of it
      this.#note(history);
      if (history.growth > 0) this.#offerMore(history);
      history.push(batch, columns, i);
    }
    for (const { at, threshold } of batch.evidence ?? []) {
      const history = devices.byIndex[batch.device[at]!];
      if (history) history.threshold = threshold;
    }
  }

  #note(history: History): void {
    if (history.block === this.#blocks) return;
    history.block = this.#blocks;
    history.updated = ++this.#updates;
  }

  /** Its room is full: if there is no more of it, its next rows take the place of its oldest ones. */
  #offerMore(history: History): void {
    const bytes = history.growth;
    if (this.#bytes + bytes > this.#maxBytes && !this.#takeFromSilent(bytes)) return;
    history.grow();
    this.#bytes += bytes;
  }

  #devicesOf(gateway: string, { schema, model }: RecordBatch): Devices {
    const devices = getOrMake(this.#gateways, gateway, () => ({
      byName: new Map<string, History>(),
      schema: undefined,
      model: undefined,
      byIndex: [],
    }));
    if (devices.schema !== schema || devices.model !== model)
      Object.assign(devices, { schema, model, byIndex: [] });
    return devices;
  }

  #historyOf(gateway: string, devices: Devices, { schema, model }: RecordBatch, index: number): History {
    const known = devices.byIndex[index];
    if (known && !known.isGone) return known;
    const own = this.#schemaOf(schema, index);
    const name = own.devices[0]!;
    const found = devices.byName.get(name);
    const history = found ?? new History(gateway, name, own);
    const before = found ? found.bytes : 0;
    history.use(own);
    history.model = model ?? history.model;
    devices.byName.set(name, history);
    devices.byIndex[index] = history;
    this.#note(history);
    this.#grow(history.bytes - before);
    return history;
  }

  /** What a history keeps must not hold the names of all the others. */
  #schemaOf(schema: Schema, index: number): Schema {
    const known = this.#ownSchemas.get(schema) ?? [];
    this.#ownSchemas.set(schema, known);
    known[index] ??= { ...schema, devices: [schema.devices[index]!] };
    return known[index];
  }

  /** A device that speaks for the first time, or has other fields now, gets its room from whoever has some. */
  #grow(bytes: number): void {
    this.#bytes += bytes;
    if (bytes <= 0 || this.#bytes <= this.#maxBytes) return;
    const oldestFirst = this.#histories().sort(byUpdate);
    this.#cut(oldestFirst, minuteRows, this.#enough);
    this.#cut(oldestFirst, leastRows, this.#enough);
    for (const history of oldestFirst) {
      if (this.#bytes <= this.#enough) return;
      this.#bytes -= history.bytes;
      history.leave();
      this.#gateways.get(history.gateway)?.byName.delete(history.device);
    }
  }

  /** @returns whether there are so many bytes now. If not, it is not tried again for every row. */
  #takeFromSilent(bytes: number): boolean {
    if (this.#updates < this.#fullUntil) return false;
    const histories = this.#histories();
    const span = silentBlocks * histories.length;
    const silent = histories.filter(({ updated }) => updated < this.#updates - span);
    this.#cut(silent.sort(byUpdate), minuteRows, this.#enough - bytes);
    const found = this.#bytes + bytes <= this.#maxBytes;
    if (!found) this.#fullUntil = this.#updates + span;
    return found;
  }

  /** Comes before removal: a device of which a few rows are left is still on the page. */
  #cut(oldestFirst: readonly History[], rows: number, wantedBytes: number): void {
    for (const history of oldestFirst) {
      if (this.#bytes <= wantedBytes) return;
      this.#bytes -= history.bytes;
      history.cut(rows);
      this.#bytes += history.bytes;
    }
  }

  /** An eighth more than is needed is made free, so that it is not done for every row. */
  get #enough(): number {
    return this.#maxBytes * (7 / 8);
  }

  #histories(): History[] {
    return [...this.#gateways.values()].flatMap(({ byName }) => [...byName.values()]);
  }
}

function byUpdate(a: History, b: History): number {
  return a.updated - b.updated;
}

/** Rows of a scratch column, so that it is rarely made anew. */
const leastScratch = 256;
/** By field, for columns that are not plain numbers; good until the next block. */
const scratch: Float64Array[] = [];

/** The columns as `numberOf` tells their values, mostly as they are. */
function numbersOf(batch: RecordBatch): Float64Array[] {
  return batch.values.map((column, f) =>
    column instanceof Float64Array && !batch.missing?.[f] ? column : numbersIn(batch, f),
  );
}

function numbersIn(batch: RecordBatch, f: number): Float64Array {
  const n = batch.time.length;
  if ((scratch[f]?.length ?? 0) < n) scratch[f] = new Float64Array(Math.max(n, leastScratch));
  const numbers = scratch[f]!;
  for (let i = 0; i < n; i++) numbers[i] = numberOf(batch, f, i);
  return numbers;
}

/** One for each device with rows in it. */
function toUpdates({ gateway, batch }: Delivery): LiveUpdate[] {
  const rowsOf = new Map<number, number[]>();
  for (const [i, device] of batch.device.entries()) getOrMake(rowsOf, device, () => []).push(i);
  return [...rowsOf].map(([index, rows]) => {
    const values = batch.schema.fields.map(
      ({ name }, f) => [name, rows.map(i => orNull(numberOf(batch, f, i)))] as const,
    );
    return {
      gateway,
      device: batch.schema.devices[index]!,
      type: batch.schema.type,
      time: rows.map(i => batch.time[i]!),
      values: Object.fromEntries(values),
      score: rows.map(i => orNull(batch.score?.[i] ?? Number.NaN)),
      anomaly: rows.map(i => batch.anomaly?.[i] === 1),
    };
  });
}
