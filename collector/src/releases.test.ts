/** Receipts say no more than is true, and in the end all that is, whatever gets lost or restarts in between. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Receipt, Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { RangeSet } from '@edgeward/shared/ranges';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { MemoryDisk } from '@edgeward/shared/testing/memory-disk';
import { openMemoryStore } from '@edgeward/shared/testing/memory-store';
import { testSeed } from '@edgeward/shared/testing/seed';
import type { Incoming, Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { Releases } from './releases.js';

const around = { clock: new FakeClock({ autoAdvance: true }), log: silentLogger };

/** One gateway, a collector that restarts, and sinks that lag; what is sent arrives or not. */
class World {
  readonly #rng: Rng;
  readonly #folder: string;
  readonly #gateway = new TestGateway();
  readonly #sinks = [{ position: 0 }, { position: 0 }];
  readonly blocks: Incoming[] = [];
  /** Position by seq: what is true. */
  readonly journaled = new Map<number, number>();
  /** What the gateway was told. */
  readonly told = { journaled: new RangeSet(), released: new RangeSet() };
  #journal!: Journal;
  #releases!: Releases;

  constructor(rng: Rng, folder: string) {
    this.#rng = rng;
    this.#folder = folder;
  }

  async open(): Promise<void> {
    this.#journal = await openJournal(this.#folder);
    const send = async (_gateway: string, receipts: readonly Receipt[]) => this.#hear(receipts, 0.5);
    this.#releases = new Releases({ journal: this.#journal, required: () => this.#sinks, send, ...around });
    await this.#releases.open();
  }

  readonly steps: readonly (() => Promise<unknown> | unknown)[] = [
    () => this.#send(this.#gateway.incoming(1 + this.#below(5))),
    () => this.#send([this.blocks[this.#below(this.blocks.length)]].flatMap(block => block ?? [])),
    () => {
      const sink = this.#sinks[this.#below(2)]!;
      sink.position += this.#below(this.#journal.position - sink.position + 1);
    },
    () => this.#releases.advance(),
    () => this.#rng() < 0.3 && this.restart(),
  ];

  async step(): Promise<void> {
    await this.steps[this.#below(this.steps.length)]!();
  }

  async restart(): Promise<void> {
    await this.close();
    await this.open();
  }

  /** The gateway comes back: it must learn all that is true now. */
  async settle(): Promise<void> {
    for (const sink of this.#sinks) sink.position = this.#journal.position;
    await this.#releases.advance();
    this.#hear(this.#releases.standing('gw-1', 'outbox-1'), 1);
  }

  async close(): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
  }

  async #send(blocks: readonly Incoming[]): Promise<void> {
    this.blocks.push(...blocks);
    const stored = await this.#journal.append(blocks);
    for (const { seq, position } of stored) this.journaled.set(seq, position);
    this.#releases.journaled(stored);
    const receipts = blocks.map(({ header: { epoch, seq } }) => {
      return { epoch, from: seq, through: seq, mark: this.#releases.markOf('gw-1', epoch, seq) };
    });
    this.#hear(receipts, 0.7);
  }

  #hear(receipts: readonly Receipt[], chance: number): void {
    const passed = Math.min(...this.#sinks.map(({ position }) => position));
    for (const { from, through, mark } of receipts) {
      for (let seq = from; seq <= through; seq++) {
        const position = this.journaled.get(seq);
        assert.ok(position !== undefined, `${seq} is called ${mark} and was never journaled`);
        if (mark === 'released') assert.ok(position <= passed, `${seq} at ${position}, sinks at ${passed}`);
      }
      if (this.#rng() < chance) this.told[mark].add(from, through);
    }
  }

  #below(n: number): number {
    return Math.floor(this.#rng() * n);
  }
}

async function play(t: TestContext, seed: number): Promise<void> {
  const world = new World(seededRng(seed), await folderFor(t));
  await world.open();
  try {
    for (let i = 0; i < 150; i++) await world.step();
    await world.settle();
    for (const seq of world.journaled.keys())
      assert.ok(world.told.released.has(seq), `${seq} is stored and never released`);
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error });
  } finally {
    await world.close();
  }
}

test('released means that all named sinks have it, and everything is released in the end', async t => {
  const first = testSeed('releases');
  for (let seed = first; seed < first + 12; seed++) await play(t, seed);
});

test('without named sinks the journal releases at once', async t => {
  await using journal = await openJournal(await folderFor(t));
  const releases = new Releases({
    journal,
    required: () => [],
    send: () => assert.fail('nothing is left to send'),
    ...around,
  });
  await releases.open();
  const blocks = new TestGateway().incoming(3);
  releases.journaled(await journal.append(blocks));
  await releases.advance();
  const { epoch } = blocks[0]!.header;
  assert.equal(releases.markOf('gw-1', epoch, 2), 'released');
  assert.deepEqual(releases.standing('gw-1', 'outbox-1'), [{ epoch, from: 1, through: 3, mark: 'released' }]);
  assert.deepEqual(releases.standing('gw-1', 'outbox-2'), []);
});

test('a journal that cannot be read for a while delays releases and ends nothing', async t => {
  let failing = 0;
  const fateOf = () => (failing-- > 0 ? 'fail' : 'ok');
  const disk = new MemoryDisk({ clock: around.clock, rng: seededRng(1), fateOf });
  const folder = await folderFor(t);
  const open = () => openJournal(folder, { openStore: () => openMemoryStore(disk) });
  const blocks = new TestGateway().incoming(3);
  const former = await open();
  await former.append(blocks);
  disk.kill();
  await using journal = await open();
  const stop = new AbortController();
  const sent: Receipt[] = [];
  const send = async (_gateway: string, receipts: readonly Receipt[]) => {
    sent.push(...receipts);
    stop.abort();
  };
  const sink = { position: 0 };
  const releases = new Releases({ journal, required: () => [sink], send, ...around });
  await releases.open();
  sink.position = journal.position;
  failing = 3;
  await releases.run(stop.signal);
  assert.deepEqual(sent, [{ epoch: blocks[0]!.header.epoch, from: 1, through: 3, mark: 'released' }]);
});

test('which sinks are required may change: what waited for one that is gone is released, and nothing twice', async t => {
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  const { epoch } = gateway;
  const [kafka, influx] = [{ position: 0 }, { position: 0 }];
  let required: { position: number }[] = [];
  const sent: Receipt[] = [];
  const send = async (_gateway: string, receipts: readonly Receipt[]) => void sent.push(...receipts);
  const releases = new Releases({ journal, required: () => required, send, ...around });
  await releases.open();
  const take = async (n: number) => releases.journaled(await journal.append(gateway.incoming(n)));
  const marks = (...seqs: number[]) => seqs.map(seq => releases.markOf('gw-1', epoch, seq));

  await take(2);
  required = [kafka, influx];
  await take(2);
  assert.deepEqual(marks(2, 3), ['released', 'journaled'], 'it counts for what comes from now on');
  influx.position = 4;
  await releases.advance();
  assert.deepEqual([marks(3, 4), sent], [['journaled', 'journaled'], []]);
  required = [influx];
  await take(1);
  await releases.advance();
  assert.deepEqual(
    [marks(4, 5), sent],
    [['released', 'journaled'], [{ epoch, from: 3, through: 4, mark: 'released' }]],
  );
  required = [];
  await releases.advance();
  await take(1);
  assert.deepEqual(marks(5, 6), ['released', 'released']);
  assert.deepEqual(sent.slice(1), [{ epoch, from: 5, through: 5, mark: 'released' }]);
  required = [kafka];
  await take(1);
  kafka.position = 7;
  await releases.advance();
  assert.deepEqual(sent.slice(2), [{ epoch, from: 7, through: 7, mark: 'released' }]);
});
