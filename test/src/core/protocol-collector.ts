/** The collector: the real ingest, journal, releases and consumer, over a modelled disk and one modelled sink. */
import { setMaxListeners } from 'node:events';
import { Consumer } from '@edgeward/collector/consumer';
import { Gateways } from '@edgeward/collector/gateways';
import { loadIdentities } from '@edgeward/collector/identity-store';
import { Ingest } from '@edgeward/collector/ingest';
import { Journal } from '@edgeward/collector/journal/journal';
import { ledgerView } from '@edgeward/collector/ledger';
import { Releases } from '@edgeward/collector/releases';
import type { Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { parseReceipts } from '@edgeward/shared/receipts';
import { MemoryDisk, type MemoryDiskOptions } from '@edgeward/shared/testing/memory-disk';
import { openMemoryStore } from '@edgeward/shared/testing/memory-store';
import { parseTopic } from '@edgeward/shared/topics';
import { readHeader } from '@edgeward/shared/wire';
import type { Death } from './protocol-agent.js';
import { JournalReader } from './protocol-disks.js';
import type { Network } from './protocol-network.js';
import type { Found, Oracle } from './protocol-oracle.js';
import { ModelSink } from './protocol-sink.js';
import { forever, mortalClock, type VirtualClock } from './protocol-time.js';

export interface CollectorTraits {
  /** Receipts say `released` only when the sink has the rows; then the journal may be lost. */
  readonly receiptAfter: 'journal' | 'sink';
  /** Share of the sink's writes that fail: what it lags behind is at stake when a journal is lost. */
  readonly sinkFailing: number;
  readonly maxLatencyMs: number;
}

export interface CollectorModelOptions {
  readonly traits: CollectorTraits;
  readonly network: Network;
  readonly oracle: Oracle;
  readonly clock: VirtualClock;
  readonly rng: Rng;
  readonly fateOf?: MemoryDiskOptions['fateOf'];
}

interface Process {
  readonly journal: Journal;
  readonly ingest: Ingest;
  readonly consumer: Consumer;
  readonly taken: AbortController;
  readonly stored: AbortController;
  readonly working: Promise<unknown>;
}

const restartMs = 700;

export class CollectorModel {
  disk: MemoryDisk;
  nextDeath: Death = 'kill';
  readonly sink: ModelSink;
  readonly #options: CollectorModelOptions;
  #state: 'down' | 'starting' | 'up' | 'stopping' = 'down';
  #process: Process | undefined;
  #generation = 0;
  readonly #reader = new JournalReader();
  /** Blocks since the last start. */
  readonly #taken: { readonly gateway: string; readonly payload: Uint8Array }[] = [];

  constructor(options: CollectorModelOptions) {
    this.#options = options;
    this.disk = this.#newDisk();
    this.sink = new ModelSink(options.clock, options.rng, options.oracle);
    this.sink.failing = options.traits.sinkFailing;
    options.oracle.stored = () => new Set([...this.found(), ...this.sink.found].map(({ id }) => id));
  }

  get isIdle(): boolean {
    const process = this.#process;
    return process !== undefined && process.consumer.lag === 0 && process.ingest.failure === null;
  }

  get ledger(): ReturnType<typeof ledgerView> | undefined {
    const journal = this.#process?.journal;
    return journal && ledgerView(journal.received, journal.accounts);
  }

  /** Time of the last report of a gateway that was taken, by the agent's clock. */
  heardMs(gateway: string): number {
    return this.#process?.journal.accounts.current(gateway)?.report?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  async start(): Promise<void> {
    if (this.#state !== 'down') return;
    this.#state = 'starting';
    const generation = ++this.#generation;
    const alive = () => generation === this.#generation;
    try {
      const process = await this.#open(alive);
      if (!alive()) return;
      this.#process = process;
      this.#state = 'up';
      this.#options.network.attach((gateway, kind, payload) => {
        if (kind === 'block') this.#taken.push({ gateway, payload });
        process.ingest.offer({ gateway, kind, payload });
      });
    } catch {
      if (alive()) this.die('kill', restartMs);
    }
  }

  die(how: Death, downMs: number): void {
    const { network, clock } = this.#options;
    this.#generation += 1;
    this.#state = 'down';
    this.#process = undefined;
    if (how === 'kill') this.disk.kill();
    else this.disk.cutPower();
    network.detach(this.#lostOnTheWay());
    clock.timer(downMs, () => void this.start());
  }

  /** Gateways of blocks that it had taken from the broker and not yet stored. */
  #lostOnTheWay(): Set<string> {
    const lost = new Set<string>();
    for (const { gateway, payload } of this.#taken.splice(0)) {
      if (lost.has(gateway)) continue;
      const { epoch, seq } = readHeader(payload);
      if (!this.#reader.safeSeqs(this.disk, gateway).seqs.get(epoch)?.has(seq)) lost.add(gateway);
    }
    return lost;
  }

  /** Its disk is lost, all that was on it is forgotten. */
  forget(downMs: number): void {
    this.die('kill', downMs);
    this.disk = this.#newDisk();
    this.#options.network.journalLost();
    this.#options.oracle.journalLost();
  }

  async stop(downMs: number): Promise<void> {
    const process = this.#process;
    if (!process || this.#state !== 'up') return;
    this.#state = 'stopping';
    const generation = this.#generation;
    this.#options.network.detach();
    process.taken.abort();
    process.stored.abort();
    await process.working;
    await process.journal[Symbol.asyncDispose]();
    if (generation !== this.#generation) return;
    this.#generation += 1;
    this.#state = 'down';
    this.#process = undefined;
    this.#options.clock.timer(downMs, () => void this.start());
  }

  /** What the disk would still have after a power cut, in the order of the journal. */
  found(): Found[] {
    return this.#reader.found(this.disk);
  }

  #newDisk(): MemoryDisk {
    const { clock, rng, traits, fateOf } = this.#options;
    const disk: MemoryDisk = new MemoryDisk({
      clock,
      rng,
      latencyMs: () => (rng() < 0.3 ? rng() * traits.maxLatencyMs : 0),
      ...(fateOf && { fateOf }),
      onDeath: () => this.die(this.nextDeath, restartMs),
    });
    return disk;
  }

  async #open(alive: () => boolean): Promise<Process> {
    const { traits, clock: all } = this.#options;
    const [clock, log] = [mortalClock(all, alive), silentLogger];
    const { disk } = this;
    const journal = await Journal.open({
      directory: '/nowhere/journal',
      clock,
      log,
      openStore: () => openMemoryStore(disk),
    });
    const [stored, taken, deadline] = [new AbortController(), new AbortController(), new AbortController()];
    setMaxListeners(0, stored.signal, taken.signal, deadline.signal);
    const consumer = new Consumer({
      name: 'sink',
      sink: this.sink.of(alive),
      journal,
      clock,
      log,
      lingerMs: 20,
      onStored: () => releases.moved(),
    });
    await consumer.open();
    const releases: Releases = new Releases({
      journal,
      required: () => (traits.receiptAfter === 'sink' ? [consumer] : []),
      send: (gateway, receipts) => ingest.sendReceipts(gateway, receipts),
      clock,
      log,
    });
    await releases.open();
    const ingest: Ingest = new Ingest({
      journal,
      gateways: new Gateways(clock, journal.reports(), journal.events()),
      identities: await loadIdentities(journal, 60_000, clock.monotonic()),
      releases,
      publish: async (topic, payload) => (alive() ? this.#publish(topic, payload) : forever()),
      lateAfterMs: 30_000,
      maxQueueBytes: 1 << 20,
      clock,
      log,
    });
    const working = Promise.all([
      ingest.run(taken.signal),
      consumer.run(stored.signal, deadline.signal),
      releases.run(stored.signal),
    ]);
    working.catch(
      (error: unknown) => alive() && this.#options.oracle.say(`collector ended by itself: ${error}`),
    );
    return { journal, ingest, consumer, taken, stored, working };
  }

  #publish(topic: string, payload: string): void {
    const { gateway, kind } = parseTopic(topic)!;
    if (kind === 'receipt') this.#checkReceipts(gateway, payload);
    this.#options.network.publish(topic, payload);
  }

  /** A receipt must be true of the disk as it is, even if the power is cut in this moment. */
  #checkReceipts(gateway: string, payload: string): void {
    const { oracle, traits } = this.#options;
    const safe = this.#reader.safeSeqs(this.disk, gateway);
    for (const { epoch, from, through, mark } of parseReceipts(Buffer.from(payload)) ?? []) {
      const atSink = mark === 'released' && traits.receiptAfter === 'sink';
      for (let seq = from; seq <= through; seq++) {
        if (safe.voids.get(epoch)?.has(seq)) continue;
        if (!safe.seqs.get(epoch)?.has(seq))
          oracle.say(`receipt ${mark} for ${epoch}/${seq} of ${gateway}, which is not on disk`);
        else if (atSink && !this.sink.has(gateway, epoch, seq))
          oracle.say(`receipt ${mark} for ${epoch}/${seq} of ${gateway}, which the sink does not have`);
      }
    }
  }
}
