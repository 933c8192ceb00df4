/** The newest hour or so of every device, in memory, for plots. Rebuilt from the journal at start. */
import { numberOf } from '@edgeward/shared/batch';
import type { Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { History, orNull } from './live-history.js';
import type { LiveUpdate } from './views.js';

/** Over all devices: an hour of some 250 devices with 5 fields, or a minute of some 2500 with 30. */
const defaultMaxBytes = 64 * 1024 * 1024;
/** Rows left to a device when room gets scarce, a minute at 1 Hz; and when that is still too much. */
const cuts = [64, 0];

/** One gateway's devices: by name, and by number in the schema that its last block had. */
interface Devices {
  readonly byName: Map<string, History>;
  schema: Schema | undefined;
  model: string | undefined;
  byIndex: (History | undefined)[];
}

/** The device that was updated longest ago gives up its room first. */
export class Live {
  readonly #gateways = new Map<string, Devices>();
  readonly #maxBytes: number;
  readonly #ownSchemas = new WeakMap<Schema, Schema[]>();
  #bytes = 0;
  #updates = 0;

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
    for (let i = 0; i < batch.time.length; i++) {
      const history = this.#historyOf(gateway, devices, batch, batch.device[i]!);
      history.updated = ++this.#updates;
      this.#grow(history.push(batch, columns, i));
    }
    for (const { at, threshold } of batch.evidence ?? []) {
      const history = devices.byIndex[batch.device[at]!];
      if (history) history.threshold = threshold;
    }
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
    history.updated = ++this.#updates;
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

  #grow(bytes: number): void {
    this.#bytes += bytes;
    if (bytes > 0 && this.#bytes > this.#maxBytes) this.#makeRoom();
  }

  /**
   * An eighth more than is needed, so that it is not done for every row. Cuts first: a device of which a few rows are
   * left is still on the page.
   */
  #makeRoom(): void {
    const wanted = this.#maxBytes * (7 / 8);
    const oldestFirst = this.#histories().sort((a, b) => a.updated - b.updated);
    for (const rows of cuts) {
      for (const history of oldestFirst) {
        if (this.#bytes <= wanted) return;
        this.#bytes -= history.bytes;
        history.cut(rows);
        this.#bytes += history.bytes;
      }
    }
    for (const history of oldestFirst) {
      if (this.#bytes <= wanted) return;
      history.isGone = true;
      this.#bytes -= history.bytes;
      this.#gateways.get(history.gateway)?.byName.delete(history.device);
    }
  }

  #histories(): History[] {
    return [...this.#gateways.values()].flatMap(({ byName }) => [...byName.values()]);
  }
}

/** The columns as `numberOf` tells their values, mostly as they are. */
function numbersOf(batch: RecordBatch): Float64Array[] {
  return batch.values.map((column, f) =>
    column instanceof Float64Array && !batch.missing?.[f]
      ? column
      : Float64Array.from(batch.time, (_, i) => numberOf(batch, f, i)),
  );
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
