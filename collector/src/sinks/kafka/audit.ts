import type { SinkAudit, SinkRows } from '../audit.js';
import type { AuditContext } from '../define.js';
import { parseRow, Runs } from '../row-runs.js';
import { Cluster } from './cluster.js';
import type { KafkaConfig } from './config.js';
import { openWire } from './connect.js';
import { kafkaError } from './errors.js';
import { type Offsets, offsetsOf, readCommitted } from './reader.js';
import type { KafkaRecord } from './record-batch.js';
import { readStanding, transactionalIdOf } from './session.js';
import { Standing } from './standing.js';

const never = new AbortController().signal;

interface PartitionEnds extends Offsets {
  readonly partition: number;
}

/**
 * Reads the readings back, up to where they end once the cursor is known. Others may write to the topic: of a batch the
 * broker keeps who produced it, and only the sink's own count.
 * @throws EW_SINK_WRITE, EW_SINK_DENIED, EW_SINK_STATE
 */
export async function auditKafka(config: KafkaConfig, context: AuditContext): Promise<SinkAudit | undefined> {
  const { readings } = config.topics;
  if (readings === null) return undefined;
  const cluster = new Cluster(await openWire(config, context.log), config.brokers);
  const explain = (error: unknown) => {
    cluster.close();
    return kafkaError(error, { transactionalId: transactionalIdOf(context), collector: context.collector });
  };
  try {
    return await new KafkaAudit(
      cluster,
      { readings, cursors: config.topics.cursors },
      context,
      explain,
    ).open();
  } catch (error) {
    throw explain(error);
  }
}

class KafkaAudit implements SinkAudit {
  readonly problems: string[] = [];
  begunLater = false;
  readonly #cluster: Cluster;
  readonly #topics: { readonly readings: string; readonly cursors: string };
  readonly #standing: Standing;
  readonly #explain: (error: unknown) => Error;
  #ends: PartitionEnds[] = [];

  constructor(
    cluster: Cluster,
    topics: { readonly readings: string; readonly cursors: string },
    { collector, name }: AuditContext,
    explain: (error: unknown) => Error,
  ) {
    this.#cluster = cluster;
    this.#topics = topics;
    this.#standing = new Standing(collector, name);
    this.#explain = explain;
  }

  get cursor() {
    return this.#standing.cursor;
  }

  async open(): Promise<this> {
    const { cursors, readings } = this.#topics;
    if ((await this.#partitions(cursors)).length > 0)
      await readStanding(this.#cluster, cursors, this.#standing, never);
    for (const partition of await this.#partitions(readings))
      this.#ends.push({ partition, ...(await offsetsOf(this.#cluster, readings, partition)) });
    this.begunLater = this.#ends.some(({ first }) => first > 0);
    return this;
  }

  async *rows(): AsyncGenerator<SinkRows> {
    try {
      for (const ends of this.#ends) yield* this.#rowsOf(this.#topics.readings, ends);
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#cluster.close();
    }
  }

  async *#rowsOf(topic: string, { partition, ...offsets }: PartitionEnds): AsyncGenerator<SinkRows> {
    const runs = new Runs();
    const own = this.#standing.producers;
    let bad = 0;
    const parts = readCommitted(this.#cluster, topic, partition, offsets, never, id => own.has(String(id)));
    for await (const records of parts)
      for (const record of records) {
        const row = rowOf(record);
        if (row) yield* runs.add(row);
        else bad += 1;
      }
    yield* runs.end();
    if (bad > 0)
      this.problems.push(`partition ${partition} of ${topic} has ${bad} records that are no rows.`);
  }

  async #partitions(topic: string): Promise<number[]> {
    const [found] = await this.#cluster.topics([topic]);
    return [...(found?.leaders.keys() ?? [])].sort((a, b) => a - b);
  }
}

function rowOf({ value }: KafkaRecord) {
  return value === null ? undefined : parseRow(value.toString());
}
