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

/** One is encoded and compressed while the server stores the other. */
const requestsAtOnce = 2;

/**
 * Keeps no cursor: the journal does, and whatever is written again after a crash has the same series and time, so
 * that the server stores it over itself.
 */
export class InfluxdbSink implements Sink {
  readonly takesNotes = true;
  readonly #config: InfluxdbConfig;
  readonly #context: SinkContext;
  #server: Promise<InfluxServer> | undefined;
  #guard: SeriesGuard | undefined;
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
      const refused = new Refused();
      const requests = requestsOf(encoder, this.#config.batchBytes, deliveries, notes, refused);
      await storeAll(requests, points => store(server, points, refused, deadline));
      const refusals = refused.all();
      if (refusals.length > 0) await this.#context.refuse(refusals);
    } catch (error) {
      // Somebody may give another token: it is read anew.
      if (hasCode(error, 'EW_SINK_DENIED')) await this.#close();
      throw error;
    }
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

function* requestsOf(
  encoder: Encoder,
  maxBytes: number,
  deliveries: readonly Delivery[],
  notes: readonly Note[],
  refused: Refused,
): Generator<Points> {
  yield* encoder.requests(deliveries, (delivery, row, reason) => refused.add({ delivery, row }, reason));
  yield* noteRequests(notes, maxBytes);
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

function store(server: InfluxServer, points: Points, refused: Refused, deadline: AbortSignal): Promise<void> {
  return storeLines(points, {
    send: text => server.write(text, deadline),
    refuse: (line, reason) => refused.add(points.origin(line), `InfluxDB: ${shortened(reason)}`),
  });
}
