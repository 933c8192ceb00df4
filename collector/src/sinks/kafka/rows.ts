import type { Clock, Delivery, Note, Refusal } from '@edgeward/shared/contracts';
import { Bytes } from '../bytes.js';
import type { KafkaConfig } from './config.js';
import { Load } from './load.js';
import { encodeNote, jsonRows, type RowEncoder, type RowEncoding } from './messages.js';
import { type DeviceKey, DeviceKeys, keyOf } from './partitioner.js';
import type { Topic } from './topics.js';

/** Brokers refuse what is an hour ahead of them; the row itself tells its time. */
const mostAheadMs = 30 * 60_000;
const encodings: Readonly<Record<KafkaConfig['format'], RowEncoding>> = { json: jsonRows };

export type Topics = ReadonlyMap<string, Topic>;

/** One row while it is put into the load. */
interface Row {
  readonly rows: RowEncoder;
  readonly i: number;
  readonly key: DeviceKey;
  readonly timestamp: number;
}

/** Puts rows and notes into the load, and tells what their topics do not take. */
export class Rows {
  readonly #clock: Clock;
  readonly #encode: RowEncoding;
  readonly #names: KafkaConfig['topics'];
  readonly #keys = new DeviceKeys();
  readonly #text = new Bytes(4096);
  readonly #flagged = new Bytes(4096);

  constructor({ topics, format }: KafkaConfig, clock: Clock) {
    this.#clock = clock;
    this.#names = topics;
    this.#encode = encodings[format];
  }

  /** @returns what is refused of it */
  async add(load: Load, topics: Topics, delivery: Delivery): Promise<Refusal | undefined> {
    const { batch, gateway } = delivery;
    const readings = topicOf(topics, this.#names.readings);
    const anomalies = topicOf(topics, this.#names.anomalies);
    const rows = this.#encode(this.#text, delivery);
    const keys = batch.schema.devices.map(device => this.#keys.of(gateway, device));
    const latest = this.#clock.now() + mostAheadMs;
    const refused: number[] = [];
    let reason = '';
    for (let i = 0; i < batch.time.length; i++) {
      const isFlagged = anomalies !== undefined && batch.anomaly?.[i] === 1;
      if (!readings && !isFlagged) continue;
      const row = { rows, i, key: keys[batch.device[i]!]!, timestamp: timestampOf(batch.time[i]!, latest) };
      const problem = this.#write(row, readings, isFlagged ? anomalies : undefined);
      if (problem !== undefined) {
        refused.push(i);
        reason = problem;
        continue;
      }
      // Waiting costs more than the row: only where there is something to wait for.
      const full = this.#put(load, row, readings, isFlagged ? anomalies : undefined);
      if (full) await full;
    }
    return refused.length > 0 ? { delivery, rows: refused, reason } : undefined;
  }

  async note(load: Load, topics: Topics, note: Note): Promise<Refusal | undefined> {
    const topic = topicOf(topics, note.feed === 'incident' ? this.#names.incidents : this.#names.events);
    if (!topic) return undefined;
    const { key, value, headers } = encodeNote(note);
    if (!Load.fits(topic, value.length)) return { note, reason: tooLarge(value.length, topic) };
    const timestamp = timestampOf(note.atMs, this.#clock.now() + mostAheadMs);
    await load.add(topic, { key: keyOf(key), value, headers, timestamp });
    return undefined;
  }

  /** @returns why it cannot be stored */
  #write({ rows, i }: Row, readings: Topic | undefined, anomalies: Topic | undefined): string | undefined {
    rows.reading(i);
    const { length } = this.#text;
    if (readings && !Load.fits(readings, length)) return tooLarge(length, readings);
    if (!anomalies) return undefined;
    rows.anomaly(i, this.#flagged);
    const { length: flagged } = this.#flagged;
    return Load.fits(anomalies, flagged) ? undefined : tooLarge(flagged, anomalies);
  }

  #put(
    load: Load,
    { rows, key, timestamp }: Row,
    readings: Topic | undefined,
    anomalies: Topic | undefined,
  ): Promise<unknown> | undefined {
    const waits: (Promise<void> | undefined)[] = [];
    const { data: value, length } = this.#text;
    if (readings) {
      const full = load.add(readings, { key, value, length, headers: rows.headers, timestamp });
      if (!anomalies) return full;
      waits.push(full);
    }
    if (anomalies) {
      const { data: flagged, length: size } = this.#flagged;
      const { anomalyHeaders: headers } = rows;
      waits.push(load.add(anomalies, { key, value: flagged, length: size, headers, timestamp }));
    }
    return waits.some(wait => wait) ? Promise.all(waits) : undefined;
  }
}

function topicOf(topics: Topics, name: string | null): Topic | undefined {
  return name === null ? undefined : topics.get(name);
}

function timestampOf(time: number, latest: number): number {
  return time >= 0 && time <= latest ? Math.floor(time) : Math.floor(latest - mostAheadMs);
}

function tooLarge(bytes: number, { name, maxBytes }: Topic): string {
  return `a message of ${bytes} bytes, and a batch for topic ${name} may have ${maxBytes}`;
}
