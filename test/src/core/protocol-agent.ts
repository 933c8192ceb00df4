/** One agent: the real outbox and the real forward loop, with sources that are a few lines each. */
import { setMaxListeners } from 'node:events';
import { forward } from '@edgeward/agent/forward';
import { LevelOutbox, type OutboxOptions } from '@edgeward/agent/outbox/level-outbox';
import { BatchBuilder, RowNumbers } from '@edgeward/shared/batch';
import type { Clock, Origin, RecordBatch, Rng, Schema } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { MemoryDisk, type MemoryDiskOptions } from '@edgeward/shared/testing/memory-disk';
import { openMemoryStore } from '@edgeward/shared/testing/memory-store';
import { idsInOutbox } from './protocol-disks.js';
import type { Network } from './protocol-network.js';
import type { Oracle, Reading, SourceKind } from './protocol-oracle.js';
import { SendOrder } from './protocol-order.js';
import { mortalClock, type VirtualClock } from './protocol-time.js';
import { ModelUplink } from './protocol-uplink.js';

export type Death = 'kill' | 'power';

export interface AgentTraits extends Pick<OutboxOptions, 'maxBytes' | 'whenFull' | 'replay' | 'durability'> {
  readonly maxLossMs: number;
  /** Longest that a call to the disk takes. */
  readonly maxLatencyMs: number;
}

export interface AgentModelOptions {
  readonly gateway: string;
  readonly traits: AgentTraits;
  readonly network: Network;
  readonly oracle: Oracle;
  readonly clock: VirtualClock;
  readonly rng: Rng;
  readonly fateOf?: MemoryDiskOptions['fateOf'];
}

interface Process {
  readonly outbox: LevelOutbox;
  readonly uplink: ModelUplink;
  readonly rows: RowNumbers;
  readonly deadline: AbortController;
  readonly drained: AbortController;
  readonly forwarding: Promise<void>;
  /** Sources that wait for their last batch. */
  readonly busy: Set<SourceKind>;
  /** Of the file, read so far. */
  lines: number;
}

const restartMs = 700;
const stopMs = 3000;
/** What a disk that works may add to `maxLossMs`, besides its own time: waiting for the commit before. */
const slackMs = 400;
/** So long after a failed call anything may still wait to be written again. */
const failureMs = 5000;

export class AgentModel {
  readonly disk: MemoryDisk;
  /** The next death ends it like this. */
  nextDeath: Death = 'kill';
  readonly #options: AgentModelOptions;
  #state: 'down' | 'starting' | 'up' | 'stopping' = 'down';
  #process: Process | undefined;
  #generation = 0;
  #journal = '';
  readonly #sending: SendOrder;
  #starts = 0;
  /** Lines of its file so far, by reading. */
  readonly #lines: number[] = [];

  constructor(options: AgentModelOptions) {
    const { clock, rng, traits, fateOf } = options;
    this.#options = options;
    this.#sending = new SendOrder(options.gateway, options.oracle);
    this.disk = new MemoryDisk({
      clock,
      rng,
      latencyMs: () => (rng() < 0.3 ? rng() * traits.maxLatencyMs : 0),
      ...(fateOf && { fateOf }),
      onDeath: () => this.die(this.nextDeath, restartMs),
    });
  }

  get gateway(): string {
    return this.#options.gateway;
  }

  get outbox(): LevelOutbox | undefined {
    return this.#process?.outbox;
  }

  /** It has nothing left to hand over, and a link to say so: between tries to connect, a report goes nowhere. */
  get isIdle(): boolean {
    const process = this.#process;
    if (!process || process.busy.size > 0 || !process.uplink.isLinked) return false;
    return process.outbox.report().outbox.blocks === 0;
  }

  /** Runs from here on, however often it dies. */
  async start(): Promise<void> {
    const { gateway, traits, clock } = this.#options;
    if (this.#state !== 'down') return;
    this.#state = 'starting';
    this.#starts += 1;
    const generation = ++this.#generation;
    const alive = () => generation === this.#generation;
    const own = mortalClock(clock, alive);
    try {
      const outbox = await LevelOutbox.open({
        directory: '/nowhere/outbox',
        gateway,
        ...traits,
        clock: own,
        log: silentLogger,
        openStore: () => openMemoryStore(this.disk),
      });
      if (!alive()) return;
      this.#process = this.#run(outbox, own, alive);
      this.#state = 'up';
    } catch {
      if (alive()) this.die('kill', restartMs);
    }
  }

  die(how: Death, downMs: number): void {
    const { clock, network, gateway, oracle, traits } = this.#options;
    const failedMs = clock.monotonic() - this.disk.lastFailedMs;
    const healthy = failedMs > failureMs && !this.disk.broken;
    this.#generation += 1;
    this.#state = 'down';
    this.#process?.deadline.abort();
    this.#process?.drained.abort();
    this.#process = undefined;
    if (how === 'kill') this.disk.kill();
    else this.disk.cutPower();
    network.break(gateway);
    oracle.died(
      gateway,
      healthy ? traits.maxLossMs + slackMs + 4 * traits.maxLatencyMs : Number.POSITIVE_INFINITY,
      idsInOutbox(this.disk),
    );
    clock.timer(downMs, () => void this.start());
  }

  /** As on a signal: sources end, receipts are waited for, the outbox is closed. */
  async stop(downMs: number): Promise<void> {
    const process = this.#process;
    if (!process || this.#state !== 'up') return;
    this.#state = 'stopping';
    const { clock } = this.#options;
    const generation = this.#generation;
    process.drained.abort();
    clock.timer(stopMs, () => process.deadline.abort());
    await Promise.race([
      process.forwarding,
      new Promise(resolve => onAbort(process.deadline.signal, resolve)),
    ]);
    await process.outbox[Symbol.asyncDispose]();
    if (generation !== this.#generation) return; // it died meanwhile
    this.#stopped();
    clock.timer(downMs, () => void this.start());
  }

  report(): void {
    this.#process?.uplink.report();
  }

  poll(rows: number): void {
    this.#read('poll', rows, {}, false);
  }

  /** Somebody hands over rows and waits to hear that they are safe. */
  push(rows: number, anomalous: boolean): void {
    this.#read('push', rows, { acknowledges: true }, anomalous);
  }

  /** Lines that can be read again, with the place in the file. */
  file(lines: number): void {
    const process = this.#process;
    if (!process || process.busy.has('file') || process.drained.signal.aborted) return;
    const from = process.lines;
    process.lines += lines;
    while (this.#lines.length < from + lines) this.#lines.push(this.#options.oracle.nextId());
    const ids = this.#lines.slice(from, from + lines);
    this.#hand(process, 'file', ids, { position: { line: from + lines } }, false);
  }

  reject(rows: number): void {
    this.#process?.outbox.countRejected('push', 'push-1', rows);
  }

  /** At the end: what of the file must be there, once each. */
  linesRead(): readonly number[] {
    return this.#lines.slice(0, Number(this.outbox?.position('file')?.line ?? 0));
  }

  #run(outbox: LevelOutbox, clock: Clock, alive: () => boolean): Process {
    const { gateway, network } = this.#options;
    const [deadline, drained] = [new AbortController(), new AbortController()];
    setMaxListeners(0, deadline.signal, drained.signal);
    const uplink = new ModelUplink({
      network,
      gateway,
      clock,
      birth: { epoch: outbox.epoch, outbox: outbox.id, version: '1' },
      report: () => ({
        gateway,
        epoch: outbox.epoch,
        atMs: clock.now(),
        version: '1',
        ...outbox.report(),
        process: { pid: 1, rssBytes: 0, cpuSeconds: 0 },
        models: {},
      }),
      onJournal: (journal, link) => alive() && this.#meet(outbox, journal, link),
      onReceipt: receipt => this.#sending.received(receipt),
      onSent: (entry, link) => this.#sending.sent(entry, `${this.#starts} ${link}`),
    });
    const forwarding = forward({ outbox, uplink, clock, log: silentLogger }, drained.signal, deadline.signal);
    const lines = Number(outbox.position('file')?.line ?? 0);
    return { outbox, uplink, rows: new RowNumbers(), deadline, drained, forwarding, busy: new Set(), lines };
  }

  #meet(outbox: LevelOutbox, journal: string, link: number): void {
    if (journal !== this.#journal) this.#sending.mixed(`${this.#starts} ${link}`);
    this.#journal = journal;
    outbox.meet(journal);
  }

  #read(source: SourceKind, rows: number, origin: Partial<Origin>, anomalous: boolean): void {
    const process = this.#process;
    if (!process || process.busy.has(source) || process.drained.signal.aborted) return;
    const ids = Array.from({ length: rows }, () => this.#options.oracle.nextId());
    this.#hand(process, source, ids, origin, anomalous);
  }

  /** As pump.ts does it: the next batch not before this one is admitted, or durable. */
  #hand(
    process: Process,
    source: SourceKind,
    ids: readonly number[],
    origin: Partial<Origin>,
    anomalous: boolean,
  ) {
    const { gateway, oracle, clock } = this.#options;
    const batch = this.#batch(process.rows, source, ids, anomalous);
    const generation = this.#generation;
    const device = (i: number) => batch.schema.devices[batch.device[i]!]!;
    process.busy.add(source);
    const handing = async () => {
      const { durable } = await process.outbox.append(batch, { source, ...origin }, process.deadline.signal);
      if (generation !== this.#generation) return;
      const readings = ids.map(
        (id, i): Reading => oracle.admitted({ id, gateway, source, device: device(i) }),
      );
      const noted = durable.then(() => {
        if (generation === this.#generation) for (const reading of readings) reading.durable = true;
      });
      noted.catch(() => undefined);
      if (origin.acknowledges) await noted;
    };
    void handing()
      .catch(() => clock.sleep(100, process.deadline.signal))
      .finally(() => process.busy.delete(source));
  }

  #batch(rows: RowNumbers, source: SourceKind, ids: readonly number[], anomalous: boolean): RecordBatch {
    const { clock } = this.#options;
    const builder = new BatchBuilder(schemas[source], { maxRows: 1e6, maxAgeMs: 1e9 }, { clock, rows });
    for (const [i, id] of ids.entries()) builder.push(id % 2, clock.now() + i, [id]);
    const batch = builder.take();
    return anomalous ? { ...batch, anomaly: new Uint8Array(ids.length).fill(1) } : batch;
  }

  /** Whatever the outbox has admitted it has kept, unless it said otherwise. */
  #stopped(): void {
    const { gateway, oracle } = this.#options;
    this.#generation += 1;
    this.#state = 'down';
    this.#process = undefined;
    if (this.disk.marker.state !== 'closed') {
      oracle.died(gateway, Number.POSITIVE_INFINITY, idsInOutbox(this.disk)); // it gave up
      return;
    }
    for (const reading of oracle.readings.values()) {
      if (reading.gateway !== gateway || reading.durable || reading.unpromised) continue;
      reading.unpromised = true;
      oracle.say(
        `${gateway}: ${reading.source} reading ${reading.id} was admitted and not durable at a clean end`,
      );
    }
  }
}

const schemas: Record<SourceKind, Schema> = {
  poll: schemaOf('poll'),
  push: schemaOf('push'),
  file: schemaOf('file'),
};

function schemaOf(type: SourceKind): Schema {
  return { type, fields: [{ name: 'id', kind: 'float' }], devices: [`${type}-1`, `${type}-2`] };
}

function onAbort(signal: AbortSignal, act: (value: undefined) => void): void {
  if (signal.aborted) act(undefined);
  else signal.addEventListener('abort', () => act(undefined), { once: true });
}
