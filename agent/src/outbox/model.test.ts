/**
 * The outbox against a plain model: numbered batches of two sources, a collector that may lose receipts and links, a
 * process that is killed or stopped, a store whose calls fail. In the end every batch that was durable must have
 * reached the collector, and each of the source that is read again exactly once.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock, Entry, RecordBatch, Rng } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { testSeed } from '@edgeward/shared/testing/seed';
import { decodeBlock } from '@edgeward/shared/wire';
import type { LevelOutbox, Notice } from './level-outbox.js';
import {
  crashCopy,
  FaultyDisk,
  folder,
  never,
  open,
  receiptOf,
  removeFolders,
  sums,
  until,
  walk,
} from './testing/outboxes.js';

after(removeFolders);

/** Nobody waits long for the next try. */
const impatient: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

class World {
  readonly disk = new FaultyDisk();
  readonly events: Notice[] = [];
  /** What the collector journaled: the batch by epoch and seq. */
  readonly journal = new Map<string, number>();
  /** Batches of the polled source that were said to be durable. */
  readonly durable = new Set<number>();
  readonly #rng: Rng;
  #base = '';
  #outbox!: LevelOutbox;
  #batches = new TestBatches();
  #walk!: AsyncIterator<Entry>;
  #pulling: AsyncIterator<Entry> | undefined;
  #inFlight: Entry[] = [];
  #unreleased: Entry[] = [];
  /** Number of the last batch of the source that is read again, and whether its commit is still awaited. */
  #read = 0;
  #waiting = false;
  #polled = 1_000_000;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  async start(base?: string): Promise<void> {
    this.#base = base ?? (await folder());
    const options = { openStore: this.disk.open, clock: impatient, maxLossMs: 50 };
    this.#outbox = await open(this.#base, options, this.events);
    this.#batches = new TestBatches();
    this.#read = Number(this.#outbox.position('again')?.at ?? 0);
    this.#waiting = false;
    this.relink();
  }

  get read(): number {
    return this.#read;
  }

  readAgain(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#read += 1;
    const [outbox, at] = [this.#outbox, this.#read];
    void outbox
      .append(this.#batch(at, 0), { source: 'again', position: { at }, acknowledges: true }, never)
      .then(({ durable }) => durable)
      .then(
        () => {
          if (outbox === this.#outbox) this.#waiting = false;
        },
        () => undefined, // its process is dead
      );
  }

  poll(): void {
    this.#polled += 1;
    const number = this.#polled;
    const outbox = this.#outbox;
    void outbox.append(this.#batch(number, 1), { source: 'polled' }, never).then(
      ({ durable }) =>
        durable.then(
          () => {
            if (outbox === this.#outbox) this.durable.add(number);
          },
          () => undefined,
        ),
      () => undefined,
    );
  }

  pull(): void {
    const from = this.#walk;
    if (this.#pulling === from) return;
    this.#pulling = from;
    void from.next().then(({ value, done }) => {
      if (from !== this.#walk) return;
      this.#pulling = undefined;
      if (!done) this.#inFlight.push(value);
    });
  }

  /** Journals a block, whose receipt may get lost. */
  async receipt(): Promise<void> {
    const entry = this.#take(this.#inFlight);
    if (!entry) return;
    const { batch } = decodeBlock(entry.bytes, () => entry.described);
    this.journal.set(`${entry.epoch}/${entry.seq}`, (batch.values[0] as Float64Array)[0]!);
    if (this.#rng() < 0.1) return;
    const mark = this.#rng() < 0.5 ? 'journaled' : 'released';
    await this.#outbox.receive(receiptOf(entry, mark));
    if (mark === 'journaled') this.#unreleased.push(entry);
  }

  async release(): Promise<void> {
    const entry = this.#take(this.#unreleased);
    if (entry && this.#rng() < 0.9) await this.#outbox.receive(receiptOf(entry));
  }

  link(): void {
    this.#outbox.link(this.#rng() < 0.5, this.#rng() * 40);
  }

  relink(): void {
    this.#inFlight = [];
    this.#walk = walk(this.#outbox);
  }

  fail(): void {
    let left = 1 + Math.floor(this.#rng() * 3);
    this.disk.before = () => {
      left -= 1;
      if (left >= 0) throw new Error('input/output error');
    };
  }

  /** Files can be copied as a kill leaves them while nothing but their ends change: not while the store is opened. */
  async kill(): Promise<void> {
    const dead = this.#outbox;
    this.disk.before = () => undefined;
    await (await dead.append(this.#batch(++this.#polled, 1), { source: 'polled', acknowledges: true }, never))
      .durable;
    this.durable.add(this.#polled);
    this.readAgain();
    this.poll();
    const copying = crashCopy(this.#base);
    this.#outbox = undefined as unknown as LevelOutbox; // whatever the dead process still says, nobody hears
    await this.start(await copying);
    await dead[Symbol.asyncDispose]();
  }

  async restart(): Promise<void> {
    this.disk.before = () => undefined;
    await this.#outbox[Symbol.asyncDispose]();
    await this.start(this.#base);
  }

  /** All goes through. */
  async finish(): Promise<void> {
    this.disk.before = () => undefined;
    await until(() => !this.#waiting);
    await this.restart();
    this.#outbox.link(true, 10);
    while (this.#outbox.report().outbox.blocks > 0) {
      await new Promise(setImmediate);
      this.pull();
      if (this.#rng() < 0.02) this.relink();
      while (this.#inFlight.length) await this.receipt();
      while (this.#unreleased.length) await this.release();
    }
    const { held, damaged, dropped, thinned } = sums(this.#outbox);
    assert.deepEqual({ held, damaged, dropped, thinned }, { held: 0, damaged: 0, dropped: 0, thinned: 0 });
    await this.#outbox[Symbol.asyncDispose]();
  }

  #batch(number: number, device: number): RecordBatch {
    const batch = this.#batches.next(1 + Math.floor(this.#rng() * 20), [device]);
    return {
      ...batch,
      values: batch.values.map(column => Float64Array.from(column as Float64Array).fill(number)),
    };
  }

  #take(all: Entry[]): Entry | undefined {
    return all.splice(Math.floor(this.#rng() * all.length), 1)[0];
  }
}

function assertNothingLost(world: World): void {
  const came = [...world.journal.values()];
  const again = came.filter(number => number < 1_000_000).sort((a, b) => a - b);
  assert.deepEqual(
    again,
    Array.from({ length: world.read }, (_, i) => i + 1),
    'each exactly once',
  );
  const polled = came.filter(number => number > 1_000_000);
  assert.equal(new Set(polled).size, polled.length, 'none twice');
  const missing = [...world.durable].filter(number => !polled.includes(number));
  assert.deepEqual(missing, [], 'what was durable came');
  assert.deepEqual(
    world.events.filter(({ kind }) => kind === 'damage'),
    [],
  );
}

async function play(seed: number, steps: number): Promise<void> {
  const rng = seededRng(seed);
  const world = new World(rng);
  await world.start();
  const lots: (() => unknown)[] = Object.entries({
    readAgain: 20,
    poll: 20,
    pull: 25,
    receipt: 20,
    release: 10,
    link: 3,
    relink: 2,
    fail: 2,
    kill: 1,
    restart: 1,
  } as const).flatMap(([name, weight]) =>
    Array.from({ length: weight }, () => () => world[name as 'poll']()),
  );
  for (let i = 0; i < steps; i++) {
    await lots[Math.floor(rng() * lots.length)]!();
    if (rng() < 0.3) await new Promise(setImmediate);
  }
  await world.finish();
  assertNothingLost(world);
}

/** The seed repeats the choices; when a write is down is the disk's own. */
const first = testSeed('outbox model');

test('nothing durable is lost and nothing comes twice, whatever fails, breaks or is killed', {
  timeout: 240_000,
}, async () => {
  for (let seed = first; seed < first + 6; seed++)
    await play(seed, 500).catch(error => {
      throw new Error(`SEED=${seed}`, { cause: error });
    });
});

test('every call of the store that fails once changes nothing but the time it takes', {
  timeout: 240_000,
}, async () => {
  for (let nth = 1; nth <= 25; nth++) {
    const world = new World(seededRng(nth));
    await world.start();
    let calls = 0;
    world.disk.before = () => {
      calls += 1;
      if (calls === nth) throw new Error('input/output error');
    };
    for (let i = 0; i < 12; i++) {
      world.readAgain();
      world.poll();
      for (let turn = 0; turn < 6; turn++) {
        world.pull();
        await new Promise(resolve => setTimeout(resolve, 1));
        await world.receipt();
        await world.release();
      }
      if (i === 6) world.relink();
    }
    await world.finish();
    assertNothingLost(world);
  }
});
