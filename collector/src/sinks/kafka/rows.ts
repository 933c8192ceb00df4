import type { Clock, Delivery, Note, Refusal } from '@edgeward/shared/contracts';
import { Bytes } from '../bytes.js';
import type { KafkaConfig } from './config.js';
import { Load, type Message } from './load.js';
import { encodeNote, jsonRows, type RowEncoder, type RowEncoding } from './messages.js';
import { type DeviceKey, DeviceKeys, keyOf } from './partitioner.js';
import type { Topic } from './topics.js';

/** Brokers refuse what is an hour ahead of them; the row itself tells its time. */
const mostAheadMs = 30 * 60_000;
const encodings: Readonly<Record<KafkaConfig['format'], RowEncoding>> = { json: jsonRows };

export type Topics = ReadonlyMap<string, Topic>;

/** Puts rows and notes into the load, and tells what their topics do not take. */
export class Rows {
  readonly #clock: Clock;
  readonly #encode: RowEncoding;
  readonly #names: KafkaConfig['topics'];
  readonly #keys = new DeviceKeys();

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
    const rows = this.#encode(delivery);
    const keys = batch.schema.devices.map(device => this.#keys.of(gateway, device));
    const latest = this.#clock.now() + mostAheadMs;
    const refused: number[] = [];
    let reason = '';
    for (let i = 0; i < batch.time.length; i++) {
      const key = keys[batch.device[i]!]!;
      const timestamp = timestampOf(batch.time[i]!, latest);
      const flagged = batch.anomaly?.[i] === 1 ? anomalies : undefined;
      if (flagged === undefined) {
        if (!readings || load.addRow(readings, key, rows, i, rows.headers, timestamp)) continue;
      }
      const messages = messagesOf(rows, i, key, timestamp, readings, flagged);
      const problem = messages.map(problemOf).find(text => text !== undefined);
      if (problem === undefined) for (const { topic, ...message } of messages) await load.add(topic, message);
      else {
        refused.push(i);
        reason = problem;
      }
    }
    return refused.length > 0 ? { delivery, rows: refused, reason } : undefined;
  }

  async note(load: Load, topics: Topics, note: Note): Promise<Refusal | undefined> {
    const topic = topicOf(topics, note.feed === 'incident' ? this.#names.incidents : this.#names.events);
    if (!topic) return undefined;
    const { key: text, value, headers } = encodeNote(note);
    const timestamp = timestampOf(note.atMs, this.#clock.now() + mostAheadMs);
    const message = { topic, key: keyOf(text), value, headers, timestamp };
    const reason = problemOf(message);
    if (reason !== undefined) return { note, reason };
    await load.add(topic, message);
    return undefined;
  }
}

interface Addressed extends Message {
  readonly topic: Topic;
  readonly value: Buffer;
}

/** A row as messages of their own: all of them go, or none. */
function messagesOf(
  rows: RowEncoder,
  i: number,
  key: DeviceKey,
  timestamp: number,
  readings: Topic | undefined,
  anomalies: Topic | undefined,
): Addressed[] {
  const messages: Addressed[] = [];
  const add = (topic: Topic, headers: Buffer, write: (out: Bytes) => void) => {
    const out = new Bytes();
    write(out);
    messages.push({ topic, key, headers, timestamp, value: out.take() });
  };
  if (readings) add(readings, rows.headers, out => rows.write(i, out));
  if (anomalies) add(anomalies, rows.anomalyHeaders, out => rows.anomaly(i, out));
  return messages;
}

/** Why it cannot be stored. */
function problemOf({ topic, key, value, headers }: Addressed): string | undefined {
  const size = key.bytes.length + value.length + headers.length;
  if (Load.fits(topic, size)) return undefined;
  return `a message of ${size} bytes, and a batch for topic ${topic.name} may have ${topic.maxBytes}`;
}

function topicOf(topics: Topics, name: string | null): Topic | undefined {
  return name === null ? undefined : topics.get(name);
}

function timestampOf(time: number, latest: number): number {
  return time >= 0 && time <= latest ? Math.floor(time) : Math.floor(latest - mostAheadMs);
}
