import { type Fetched, fetchCall, listOffsetsCall } from './calls.js';
import type { Cluster } from './cluster.js';
import { decompress } from './compression.js';
import { type KafkaRecord, readBatches, type StoredBatch } from './record-batch.js';

const earliest = -2;
const latest = -1;
const maxBytes = 4 * 1024 * 1024;
const maxWaitMs = 500;

export interface Offsets {
  readonly first: number;
  /** Of the next record to come. */
  readonly end: number;
}

export async function offsetsOf(cluster: Cluster, topic: string, partition: number): Promise<Offsets> {
  const leader = await cluster.leader(topic, partition);
  const [first, end] = await Promise.all([
    leader.call(listOffsetsCall(topic, partition, earliest)),
    leader.call(listOffsetsCall(topic, partition, latest)),
  ]);
  return { first, end };
}

/**
 * What has been committed of a partition, up to an offset, in order. Transactions that are open before `end` are waited
 * for: they end at their time-out at the latest. Offsets have gaps: markers of transactions take one each, what was
 * given up and what compaction has removed leave theirs.
 * @param by  whose records; all unless told
 */
export async function* readCommitted(
  cluster: Cluster,
  topic: string,
  partition: number,
  { first, end }: Offsets,
  deadline: AbortSignal,
  by: (producerId: bigint) => boolean = () => true,
): AsyncGenerator<KafkaRecord[]> {
  const leader = await cluster.leader(topic, partition);
  for (let at = first; at < end; ) {
    deadline.throwIfAborted();
    const fetched = await leader.call(
      fetchCall(topic, partition, at, { maxBytes, maxWaitMs, committed: true }),
    );
    const batches = readBatches(fetched.data, decompress);
    const records = committedOf(batches, fetched.aborted, by).filter(
      ({ offset }) => offset >= at && offset < end,
    );
    if (records.length > 0) yield records;
    const last = batches.at(-1);
    if (last) at = last.lastOffset + 1;
    // Nothing before the end of what is settled: the rest was compacted away.
    else if (fetched.stableOffset >= end) return;
  }
}

function committedOf(
  batches: readonly StoredBatch[],
  aborted: Fetched['aborted'],
  by: (producerId: bigint) => boolean,
): KafkaRecord[] {
  const coming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const givenUp = new Set<bigint>();
  const records: KafkaRecord[] = [];
  for (const batch of batches) {
    while (coming[0] && coming[0].firstOffset <= batch.lastOffset) givenUp.add(coming.shift()!.producerId);
    if (batch.marker !== undefined) {
      if (batch.marker === 'abort') givenUp.delete(batch.producerId);
    } else if (by(batch.producerId) && !(batch.transactional && givenUp.has(batch.producerId)))
      for (const record of batch.records()) records.push(record);
  }
  return records;
}
