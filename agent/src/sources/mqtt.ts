/**
 * Messages of a plant's broker. A message is acknowledged only once its rows are durable; whatever arrives during
 * one commit is the next batch. What is dropped as a second delivery, and why that is safe, is in redelivery.ts.
 */
import { readSecret } from '@edgeward/shared/config';
import type { RecordBatch, Source, SourcePosition } from '@edgeward/shared/contracts';
import { crc32c } from '@edgeward/shared/crc32c';
import { EdgewardError } from '@edgeward/shared/errors';
import { defineSource, type SourceContext } from './define.js';
import { type MqttConfig, mqttConfig } from './mqtt/config.js';
import { Connection } from './mqtt/connection.js';
import type { Message } from './mqtt/frames.js';
import { Mapping } from './mqtt/mapping.js';
import { type Fingerprint, fingerprint, Redelivery } from './mqtt/redelivery.js';

export const mqtt = defineSource({
  type: 'mqtt',
  config: mqttConfig,
  create: (config, context) => new Mqtt(config, context),
});

/** A batch on its way to the outbox, and what stands stored with it. */
interface Load {
  readonly batch: RecordBatch;
  readonly messages: readonly Fingerprint[];
  readonly position: SourcePosition;
}

/** Moves the position and the counts of rejected rows, and no data. */
const noRows: RecordBatch = {
  schema: { type: 'none', fields: [], devices: [] },
  time: new Float64Array(0),
  device: new Uint16Array(0),
  row: new Float64Array(0),
  values: [],
  quality: new Uint16Array(0),
};

class Mqtt implements Source {
  readonly acknowledges = true;
  readonly #config: MqttConfig;
  readonly #context: SourceContext;
  readonly #mapping: Mapping;
  readonly #redelivery = new Redelivery();
  readonly #clientId: string;
  /** Broker and client id: positions of another session mean nothing. */
  readonly #session: number;
  readonly #filters: number;
  /** What is durable. */
  #stored: SourcePosition | undefined;
  #position: SourcePosition;
  /** Received and not yet durable; outlives one `read`, because rows have their numbers. */
  #loads: Load[] = [];
  /** The session there is knows our subscriptions: the broker said so to this process. */
  #subscribed = false;

  constructor(config: MqttConfig, context: SourceContext) {
    this.#config = config;
    this.#context = context;
    this.#mapping = new Mapping(config, context);
    this.#clientId = config.clientId ?? `edgeward-${context.id ?? 'agent'}`;
    this.#session = checksum([config.url, this.#clientId]);
    this.#filters = checksum(this.#mapping.filters);
    this.#stored = this.#ofThisSession(context.position) ? context.position : undefined;
    if (this.#stored) this.#redelivery.restore(String(this.#stored.unconfirmed));
    this.#position = this.#positionAfter([]);
  }

  position(): SourcePosition {
    return this.#position;
  }

  async *read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    yield* this.#handOver();
    if (stop.aborted) return;
    const connection = await this.#connect(stop);
    if (!connection) return;
    try {
      const takesRetained = this.#beginSession(connection);
      yield* this.#handOver();
      if (stop.aborted) return;
      await this.#subscribe(connection);
      const { batchRows, lingerMs, keepAliveS } = this.#config;
      const settlesMs = this.#context.clock.monotonic() + keepAliveS * 1000;
      while (!stop.aborted) {
        const messages = await connection.take(batchRows, lingerMs, stop);
        yield* this.#store(messages, connection, takesRetained);
        if (this.#context.clock.monotonic() >= settlesMs) this.#redelivery.settle();
      }
      connection.pause();
      for (let rest = connection.takeNow(batchRows); rest.length > 0; rest = connection.takeNow(batchRows))
        yield* this.#store(rest, connection, takesRetained);
    } finally {
      await connection.close();
    }
  }

  async #connect(stop: AbortSignal): Promise<Connection | undefined> {
    const { password, ...options } = this.#config;
    const connection = await Connection.open(
      {
        ...options,
        password: password && (await readSecret(password)),
        clientId: this.#clientId,
        clock: this.#context.clock,
        onFlushed: mark => this.#redelivery.flushed(mark),
      },
      stop,
    );
    if (!connection) return undefined;
    this.#redelivery.reconnect();
    this.#context.log.info({ session: connection.sessionPresent ? 'resumed' : 'new' }, 'connected');
    return connection;
  }

  /** @returns whether what the broker has retained is news */
  #beginSession({ sessionPresent }: Connection): boolean {
    const { retained } = this.#config;
    if (sessionPresent)
      return retained === 'take' && (this.#subscribed || this.#stored?.filters !== this.#filters);
    this.#subscribed = false;
    this.#redelivery.forget();
    // A crash before the first commit in the new session must not find identifiers of the old one.
    if (this.#stored && this.#stored.unconfirmed !== '') this.#add(noRows, []);
    this.#stored = undefined;
    return retained === 'take';
  }

  /** Again after every start, though the session may know: this process has no proof of it. */
  async #subscribe(connection: Connection): Promise<void> {
    if (this.#subscribed) return;
    const { filters } = this.#mapping;
    const refused = await connection.subscribe(filters);
    const topics = refused.map(i => this.#config.subscriptions[i]!.topic);
    if (topics.length === filters.length) {
      const detail = `The broker ${this.#config.url} refuses every topic (${topics.join(', ')}); check the rights there.`;
      throw new EdgewardError('EW_SOURCE_UNAVAILABLE', detail);
    }
    if (topics.length > 0)
      this.#context.log.error({ topics }, 'the broker refuses topics; check the rights there');
    this.#subscribed = true;
  }

  /** Hands over what the messages say; once that is durable, acknowledges them all in their order. */
  async *#store(
    messages: readonly Message[],
    connection: Connection,
    takesRetained: boolean,
  ): AsyncGenerator<RecordBatch, void, void> {
    if (messages.length === 0) return;
    const ids = this.#map(messages, takesRetained);
    yield* this.#handOver();
    this.#redelivery.acknowledged(ids, connection.acknowledge(messages, ids));
  }

  /** @returns the packet identifiers to acknowledge */
  #map(messages: readonly Message[], takesRetained: boolean): number[] {
    const ids: number[] = [];
    const rejects = new Rejects();
    for (const message of messages) {
      const mark = message.id === 0 ? undefined : fingerprint(message);
      if (mark) ids.push(mark.id);
      if (mark && this.#redelivery.isStored(message, mark)) continue;
      if (message.retain && (this.#config.retained === 'skip' || !(message.dup || takesRetained))) continue;
      const mapped = this.#mapping.take(message);
      if ('reason' in mapped) rejects.add(mapped.device, mapped.reason, mark);
      else if (mark) mapped.cameFrom(mark);
    }
    for (const { device, count, reason } of rejects.counts()) this.#context.reject(device, count, reason);
    const filled = this.#mapping.filled();
    for (const [i, rows] of filled.entries()) {
      const { batch, messages: taken } = rows.take();
      // What was rejected is counted once: its identifiers lie with the last of the rows.
      this.#add(batch, i === filled.length - 1 ? [...taken, ...rejects.messages] : taken);
    }
    if (filled.length === 0 && rejects.any) this.#add(noRows, rejects.messages);
    return ids;
  }

  #add(batch: RecordBatch, messages: readonly Fingerprint[]): void {
    const before = this.#loads.flatMap(load => load.messages);
    this.#loads.push({ batch, messages, position: this.#positionAfter([...before, ...messages]) });
  }

  /** A consumer that left its loop, because storing failed, is given the same batch again. */
  *#handOver(): Generator<RecordBatch, void, void> {
    for (let load = this.#loads[0]; load; load = this.#loads[0]) {
      this.#position = load.position;
      yield load.batch;
      this.#loads.shift();
      this.#stored = load.position;
      this.#redelivery.stored(load.messages);
    }
  }

  #positionAfter(messages: readonly Fingerprint[]): SourcePosition {
    return {
      session: this.#session,
      filters: this.#filters,
      unconfirmed: this.#redelivery.encode(messages),
    };
  }

  #ofThisSession(position: SourcePosition | undefined): boolean {
    return position?.session === this.#session && typeof position.unconfirmed === 'string';
  }
}

function checksum(value: unknown): number {
  return crc32c(Buffer.from(JSON.stringify(value)));
}

/** Counts by device and reason, so that a flood of bad messages makes few lines. */
class Rejects {
  readonly messages: Fingerprint[] = [];
  readonly #counts = new Map<string, { device: string; reason: string; count: number }>();

  get any(): boolean {
    return this.#counts.size > 0;
  }

  add(device: string, reason: string, message: Fingerprint | undefined): void {
    if (message) this.messages.push(message);
    const key = `${device} ${reason}`;
    const found = this.#counts.get(key);
    if (found) found.count += 1;
    else this.#counts.set(key, { device, reason, count: 1 });
  }

  counts(): Iterable<{ readonly device: string; readonly reason: string; readonly count: number }> {
    return this.#counts.values();
  }
}
