import type { Clock, ReaderLag } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { type GroupOffset, groupOffsetsCall, listOffsetsCall } from './calls.js';
import { Cluster } from './cluster.js';
import { OffsetTimes } from './offset-times.js';
import type { Wire } from './wire.js';

const latest = -1;
/** Partitions of all groups together; the rest is left out. */
const maxPartitions = 2000;

export interface ConsumerLagOptions {
  readonly groups: readonly string[];
  readonly everyMs: number;
  readonly brokers: readonly string[];
  readonly openWire: () => Promise<Wire>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Looks now and then how far consumer groups have come, by the offsets they commit: so it does not matter which group
 * protocol they speak, and a group that commits nothing is not seen. Messages are counted up to where who reads
 * committed records can read; markers of transactions count as messages, since they take an offset each.
 *
 * Seconds are since the end of the partition grew beyond what the group takes next. Timestamps of records
 * would tell how old the reading is, which after an outage of a gateway says nothing about the group. So they are right
 * to `everyMs`, or to a 256th of a long lag, and begin with the first look after the start.
 */
export class ConsumerLag {
  readonly #options: ConsumerLagOptions;
  readonly #ends = new Map<string, OffsetTimes>();
  #cluster: Cluster | undefined;
  #lags: readonly ReaderLag[] = [];
  #stopping: AbortController | undefined;
  #running: Promise<void> | undefined;
  #failed = false;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
  }

  /** As of the last look; empty while that fails. */
  get lags(): readonly ReaderLag[] {
    return this.#lags;
  }

  /** Looks until `stop`. Once is enough. */
  start(): void {
    if (this.#running || this.#options.groups.length === 0) return;
    this.#stopping = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.#cluster?.close();
    await this.#running;
    this.#running = undefined;
  }

  async #run(stop: AbortSignal): Promise<void> {
    const { clock, everyMs } = this.#options;
    while (!stop.aborted) {
      await this.#look(stop);
      await clock.sleep(everyMs, stop);
    }
    this.#close();
  }

  async #look(stop: AbortSignal): Promise<void> {
    const { brokers, openWire, log } = this.#options;
    try {
      this.#cluster ??= new Cluster(await openWire(), brokers);
      this.#lags = await this.#lagsBy(this.#cluster);
      this.#failed = false;
    } catch (error) {
      this.#close();
      if (!this.#failed && !stop.aborted)
        log.warn({ error: messageOf(error) }, 'lag of consumer groups is not known; trying again');
      this.#failed = true;
    }
  }

  /** The next look asks anew who is who. */
  #close(): void {
    this.#lags = [];
    this.#cluster?.close();
    this.#cluster = undefined;
  }

  async #lagsBy(cluster: Cluster): Promise<ReaderLag[]> {
    const found: (GroupOffset & { group: string })[] = [];
    for (const group of this.#options.groups) {
      const coordinator = await cluster.coordinator('group', group);
      for (const offset of await coordinator.call(groupOffsetsCall(group))) found.push({ group, ...offset });
    }
    const watched = found.slice(0, maxPartitions);
    const ends = await this.#endsOf(cluster, watched);
    for (const key of this.#ends.keys()) if (!ends.has(key)) this.#ends.delete(key);
    const now = this.#options.clock.monotonic();
    for (const [key, offset] of lowest(watched)) this.#ends.get(key)?.passed(offset);
    return watched.map(({ group, topic, partition, offset }) => {
      const key = `${topic}/${partition}`;
      const end = ends.get(key)!;
      const sinceMs = getOrMake(this.#ends, key, () => new OffsetTimes()).firstBehind(offset);
      const seconds = sinceMs === undefined ? 0 : (now - sinceMs) / 1000;
      return { group, topic, partition, messages: Math.max(0, end - offset), seconds };
    });
  }

  async #endsOf(cluster: Cluster, watched: readonly GroupOffset[]): Promise<Map<string, number>> {
    const ends = new Map<string, number>();
    for (const { topic, partition } of watched) {
      const key = `${topic}/${partition}`;
      if (ends.has(key)) continue;
      const leader = await cluster.leader(topic, partition);
      const end = await leader.call(listOffsetsCall(topic, partition, latest, true));
      getOrMake(this.#ends, key, () => new OffsetTimes()).note(this.#options.clock.monotonic(), end);
      ends.set(key, end);
    }
    return ends;
  }
}

/** What the last group of each partition takes next. */
function lowest(watched: readonly GroupOffset[]): Map<string, number> {
  const offsets = new Map<string, number>();
  for (const { topic, partition, offset } of watched) {
    const key = `${topic}/${partition}`;
    offsets.set(key, Math.min(offset, offsets.get(key) ?? offset));
  }
  return offsets;
}
