/** The ledger must balance at every moment, in every legal interleaving of outbox, link, journal and reports. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { LevelOutbox } from '@edgeward/agent/outbox/level-outbox';
import { copyAtOnce } from '@edgeward/agent/outbox/testing/outboxes';
import { Accounts } from '@edgeward/collector/journal/accounts';
import { AppendPlan } from '@edgeward/collector/journal/append-plan';
import { noteReport } from '@edgeward/collector/journal/bookkeeping';
import { Received } from '@edgeward/collector/journal/received';
import { ledgerView } from '@edgeward/collector/ledger';
import { parseReport } from '@edgeward/collector/messages';
import { systemClock } from '@edgeward/shared/clock';
import type { AgentReport, Entry, Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { testSeed } from '@edgeward/shared/testing/seed';
import { readHeader } from '@edgeward/shared/wire';

const gateway = 'gw-1';
const never = new AbortController().signal;

/** One gateway and what a collector knows of it, with everything that can be late made late at will. */
class World implements AsyncDisposable {
  readonly received = new Received();
  readonly accounts = new Accounts();
  readonly #rng: Rng;
  readonly #base: string;
  #starts = 0;
  #outbox: LevelOutbox;
  #batches = new TestBatches();
  /** Devices whose source waits until its last batch is admitted; each device has its own. */
  #waiting = new Set<number>();
  #durable: Promise<unknown> = Promise.resolve();
  #walk: AsyncIterator<Entry>;
  #pulling: AsyncIterator<Entry> | undefined;
  #sent: Entry[] = [];
  #journaled: Entry[] = [];
  #reports: AgentReport[] = [];

  private constructor(rng: Rng, base: string, outbox: LevelOutbox) {
    this.#rng = rng;
    this.#base = base;
    this.#outbox = outbox;
    this.#walk = walkOf(outbox);
  }

  static async open(rng: Rng): Promise<World> {
    const base = await mkdtemp(path.join(tmpdir(), 'edgeward-ledger-'));
    return new World(rng, base, await openOutbox(path.join(base, '0')));
  }

  get steps(): Readonly<Record<string, [number, () => unknown]>> {
    return {
      append: [30, () => this.#append()],
      pull: [25, () => this.#pull()],
      journal: [20, () => this.#journal()],
      receipt: [15, () => this.#receipt()],
      reject: [2, () => this.#outbox.countRejected('source-0', 'probe-1', 3)],
      report: [15, () => void this.#reports.push(this.#report())],
      arrive: [15, () => this.#arrive()],
      turn: [20, () => new Promise(setImmediate)],
      relink: [2, () => this.#relink()],
      crash: [1, () => this.#crash()],
    };
  }

  /** All goes through, is received and reported. */
  async settle(): Promise<void> {
    while (this.#waiting.size > 0) await this.#exchange();
    await this.#durable;
    while (this.#outbox.report().outbox.blocks > 0) await this.#exchange();
    await this.#outbox[Symbol.asyncDispose]();
    this.#outbox = await openOutbox(this.#folder());
    this.#reports = [this.#report()];
    this.#arrive();
    const [total] = ledgerView(this.received, this.accounts).gateways;
    assert.equal(total?.inFlight, 0);
    assert.equal(total?.damaged, 0);
    assert.equal(total?.earlier, 0, 'there never was another journal');
  }

  async #exchange(): Promise<void> {
    await new Promise(setImmediate);
    if (this.#rng() < 0.05) this.#relink(); // what lost its receipt is sent again
    this.#pull();
    while (this.#sent.length) this.#journal();
    while (this.#journaled.length) await this.#receipt();
  }

  /** Not awaited: at the quota it waits for a receipt that only a later step brings. */
  #append(): void {
    const device = this.#rng() < 0.5 ? 0 : 1;
    const waiting = this.#waiting;
    if (waiting.has(device)) return;
    waiting.add(device);
    const batch = this.#batches.next(1 + Math.floor(this.#rng() * 30), [device]);
    this.#outbox.append(batch, { source: `source-${device}`, acknowledges: this.#rng() < 0.5 }, never).then(
      ({ durable }) => {
        waiting.delete(device);
        this.#durable = durable;
      },
      () => undefined, // its process is dead
    );
  }

  #pull(): void {
    const walk = this.#walk;
    if (this.#pulling === walk) return;
    this.#pulling = walk;
    void walk.next().then(({ value, done }) => {
      if (walk !== this.#walk) return; // its link is broken or its process dead
      this.#pulling = undefined;
      if (!done) this.#sent.push(value);
    });
  }

  #journal(): void {
    const entry = this.#take(this.#sent);
    if (!entry) return;
    const plan = new AppendPlan(this.received, this.accounts);
    const outbox = this.#outbox.report().outbox.id;
    plan.take({ gateway, outbox, header: readHeader(entry.bytes) }, entry.described, 1);
    plan.apply();
    // A receipt that is lost leaves the entry with the agent.
    if (this.#rng() < 0.9) this.#journaled.push(entry);
  }

  async #receipt(): Promise<void> {
    const entry = this.#take(this.#journaled);
    if (!entry) return;
    const { epoch, seq } = entry;
    const mark = this.#rng() < 0.9 ? 'released' : 'journaled';
    await this.#outbox.receive({ epoch, from: seq, through: seq, mark });
    if (mark === 'journaled') this.#journaled.push(entry);
  }

  #report(): AgentReport {
    return {
      gateway,
      epoch: this.#outbox.epoch,
      atMs: 0,
      version: '0',
      ...this.#outbox.report(),
      process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
      models: {},
    };
  }

  /** The oldest report that is under way, held against what is journaled by now. */
  #arrive(): void {
    const report = this.#reports.shift();
    if (!report) return;
    const said = parseReport(Buffer.from(JSON.stringify(report)), gateway);
    assert.ok(said, 'it is understood');
    noteReport(this.accounts, this.received, said, 0, 'journal-1');
    const { balanced, devices } = ledgerView(this.received, this.accounts);
    assert.ok(balanced, JSON.stringify(devices.filter(device => !device.balanced)));
  }

  #relink(): void {
    this.#sent = [];
    this.#walk = walkOf(this.#outbox);
  }

  /** Kill -9: the files as they are go on; whatever the old process does during the copy, nobody hears of. */
  async #crash(): Promise<void> {
    const [dead, before] = [this.#outbox, this.#folder()];
    this.#starts += 1;
    await copyAtOnce(before, this.#folder());
    this.#outbox = await openOutbox(this.#folder());
    this.#batches = new TestBatches();
    this.#waiting = new Set();
    this.#relink();
    await dead[Symbol.asyncDispose]();
  }

  #folder(): string {
    return path.join(this.#base, `${this.#starts}`);
  }

  #take(all: Entry[]): Entry | undefined {
    return all.splice(Math.floor(this.#rng() * all.length), 1)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outbox[Symbol.asyncDispose]();
    await rm(this.#base, { recursive: true, force: true });
  }
}

function walkOf(outbox: LevelOutbox): AsyncIterator<Entry> {
  return outbox.entries(never)[Symbol.asyncIterator]();
}

function openOutbox(folder: string): Promise<LevelOutbox> {
  return LevelOutbox.open({
    directory: path.join(folder, 'outbox'),
    gateway,
    maxBytes: 20_000,
    whenFull: 'dropOldest',
    clock: systemClock,
    log: silentLogger,
  });
}

async function play(seed: number, steps: number): Promise<void> {
  const rng = seededRng(seed);
  await using world = await World.open(rng);
  const lots = Object.entries(world.steps).flatMap(([name, [weight, act]]) =>
    Array.from({ length: weight }, () => ({ name, act })),
  );
  const done: string[] = [];
  try {
    for (let i = 0; i < steps; i++) {
      const { name, act } = lots[Math.floor(rng() * lots.length)]!;
      done.push(name);
      await act();
    }
    await world.settle();
  } catch (error) {
    throw new Error(`SEED=${seed} after ${done.slice(-12).join(' ')}`, { cause: error });
  }
}

/** The seed repeats the choices; when a write is down is the disk's own. */
const first = testSeed('ledger');

test('balances whenever a report arrives, whatever was appended, sent, lost, dropped or killed in between', async () => {
  for (let seed = first; seed < first + 4; seed++) await play(seed, 800);
});
