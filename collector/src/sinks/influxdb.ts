import type { Cursor, Delivery, Note, Sink } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { defineSink, type SinkContext } from './define.js';
import { shortened } from './influxdb/answers.js';
import { checkInfluxdb, type InfluxdbConfig, influxdbConfig } from './influxdb/config.js';
import { Encoder } from './influxdb/encode.js';
import { seriesOf } from './influxdb/heads.js';
import { noteRequests } from './influxdb/notes.js';
import { type Points, Refused } from './influxdb/points.js';
import { SeriesGuard } from './influxdb/series.js';
import { InfluxServer } from './influxdb/server.js';
import { storeLines } from './influxdb/split.js';
import { countSeries, listSeries } from './influxdb/stored-series.js';

/** Points of InfluxDB 2, see deploy/influxdb.md; a point written again overwrites itself. */
export const influxdb = defineSink({
  type: 'influxdb',
  config: influxdbConfig,
  check: checkInfluxdb,
  create: (config, context) => new InfluxdbSink(config, context),
});

/** A write that runs out of time goes on behind the last part that was stored. */
const partRows = 50_000;
/** One is encoded and compressed while the server stores the other. */
const requestsAtOnce = 2;

/**
 * Keeps no cursor: the journal does, and whatever is written again after a crash has the same series and time, so
 * that the server stores it over itself.
 */
export class InfluxdbSink implements Sink {
  readonly takesNotes = true;
  /** A hundred thousand rows or so. */
  readonly limits = { maxDeliveries: 1000, maxBytes: 512 * 1024 };
  readonly #config: InfluxdbConfig;
  readonly #context: SinkContext;
  #server: Promise<InfluxServer> | undefined;
  #guard: SeriesGuard | undefined;
  /** Of a write that failed in its middle: these need not be written again. */
  #stored = new WeakSet<Delivery>();
  #encoder: Encoder | undefined;

  constructor(config: InfluxdbConfig, context: SinkContext) {
    this.#config = config;
    this.#context = context;
  }

  /** @throws EW_SINK_WRITE, EW_SINK_BUSY, EW_SINK_DENIED; the same call may be made again */
  async write(
    deliveries: readonly Delivery[],
    _after: Cursor,
    deadline: AbortSignal,
    notes: readonly Note[] = [],
  ): Promise<void> {
    try {
      const server = await this.#open();
      const encoder = await this.#encoderFor(server);
      const left = deliveries.filter(delivery => !this.#stored.has(delivery));
      for (const part of partsOf(left)) {
        await this.#store(server, deadline, refused =>
          encoder.requests(part, (delivery, row, reason) => refused.add({ delivery, row }, reason)),
        );
        for (const delivery of part) this.#stored.add(delivery);
      }
      await this.#store(server, deadline, () => noteRequests(notes, this.#config.batchBytes));
      this.#stored = new WeakSet();
    } catch (error) {
      // Somebody may give another token: it is read anew.
      if (hasCode(error, 'EW_SINK_DENIED')) await this.#close();
      throw error;
    }
  }

  /** Resolves once each of these is stored or kept as refused. */
  async #store(
    server: InfluxServer,
    deadline: AbortSignal,
    requests: (refused: Refused) => Generator<Points>,
  ): Promise<void> {
    const refused = new Refused();
    await storeAll(requests(refused), points =>
      storeLines(points, {
        send: text => server.write(text, deadline),
        refuse: (line, reason) => refused.add(points.origin(line), `InfluxDB: ${shortened(reason)}`),
      }),
    );
    const refusals = refused.all();
    if (refusals.length > 0) await this.#context.refuse(refusals);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  async #open(): Promise<InfluxServer> {
    this.#server ??= InfluxServer.open(this.#config, this.#context.clock);
    try {
      return await this.#server;
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.then(
      open => open[Symbol.dispose](),
      () => undefined,
    );
  }

  /** Once the bucket has said as much of its series as has to be known now. */
  async #encoderFor(server: InfluxServer): Promise<Encoder> {
    const { bucket, maxSeries, batchBytes } = this.#config;
    if (!this.#guard) {
      const stored = await countSeries(server, bucket);
      if (stored === undefined) this.#tellUnreadable();
      this.#guard ??= new SeriesGuard(maxSeries, this.#context.log, stored);
    }
    const guard = this.#guard;
    if (guard.needsNames) guard.learn(await listSeries(server, bucket));
    this.#encoder ??= new Encoder({
      maxBytes: batchBytes,
      refusalOf: (delivery, device) => guard.refusal(seriesOf(delivery, device)),
    });
    return this.#encoder;
  }

  #tellUnreadable(): void {
    const { bucket, createBucket } = this.#config;
    const level = createBucket.allowed ? 'info' : 'warn';
    const text =
      'the bucket is not there, or the token may not read it: series are counted from this start on';
    this.#context.log[level]({ bucket }, text);
  }
}

function* partsOf(deliveries: readonly Delivery[]): Generator<readonly Delivery[]> {
  let part: Delivery[] = [];
  let rows = 0;
  for (const delivery of deliveries) {
    part.push(delivery);
    rows += delivery.batch.time.length;
    if (rows < partRows) continue;
    yield part;
    [part, rows] = [[], 0];
  }
  if (part.length > 0) yield part;
}

/** @throws what the first of them threw, once none is under way any more */
async function storeAll(requests: Generator<Points>, act: (points: Points) => Promise<void>): Promise<void> {
  // Leaving a loop over the generator ends it for the other one, too.
  const each = async () => {
    for (const points of requests) await act(points);
  };
  const results = await Promise.allSettled(Array.from({ length: requestsAtOnce }, each));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
