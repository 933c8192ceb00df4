/** A disk that fails for a while: what cannot be written or read now is neither lost nor called damaged. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock, Entry } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { openStore, type Store, type StoreOptions } from '@edgeward/shared/store';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { LevelOutbox } from './level-outbox.js';
import { crashCopy, removeFolders, take, waiting, walk } from './testing/outboxes.js';

const never = new AbortController().signal;
const origin = { source: 's', acknowledges: true };
const folders: string[] = [];
after(removeFolders);
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-faults-'));
  folders.push(made);
  return made;
}

/** The machine's clock; nobody waits long for the next try. */
class ImpatientClock implements Clock {
  tries = 0;
  /** What each sleep waits for beside its time. */
  held: Promise<unknown> = Promise.resolve();
  monotonic = systemClock.monotonic;
  now = systemClock.now;

  async sleep(_ms: number, signal: AbortSignal): Promise<void> {
    this.tries += 1;
    await systemClock.sleep(10, signal);
    await this.held;
  }
}

/**
 * Fault injected at the edge: while it fails, so does every commit, as on a full or read-only disk. `late`: only its
 * sync does, and what was to be synced has reached the disk nevertheless.
 */
class FailingDisk {
  failing: boolean | 'late' = false;

  readonly open = async (options: StoreOptions): Promise<Store> => {
    const store = await openStore(options);
    const batch = store.db.batch.bind(store.db) as (...args: unknown[]) => Promise<void>;
    const failing = async (...args: unknown[]) => {
      if (this.failing === true) throw new Error('input/output error');
      await batch(...args);
      if (this.failing) throw new Error('input/output error');
    };
    Object.defineProperty(store.db, 'batch', { value: failing });
    return store;
  };
}

function open(
  base: string,
  clock: Clock,
  events: string[] = [],
  disk = new FailingDisk(),
): Promise<LevelOutbox> {
  return LevelOutbox.open({
    directory: path.join(base, 'outbox'),
    gateway: 'gw',
    maxBytes: 1e9,
    whenFull: 'block',
    clock,
    openStore: disk.open,
    log: silentLogger,
    onEvent: ({ kind }) => void events.push(kind),
  });
}

async function filled(base: string, blocks: number): Promise<void> {
  await using outbox = await open(base, systemClock);
  const batches = new TestBatches();
  let durable: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < blocks; i++) ({ durable } = await outbox.append(batches.next(2), origin, never));
  await durable;
}

test('a block that cannot be read while the store is opened again is offered later, not counted as damaged', {
  timeout: 20_000,
}, async () => {
  const base = await folder();
  const blocks = 300;
  await filled(base, blocks);
  const [clock, disk, events] = [new ImpatientClock(), new FailingDisk(), [] as string[]];
  await using outbox = await open(base, clock, events, disk);
  disk.failing = true; // from here on the store is closed and opened again, over and over
  const { durable } = await outbox.append(new TestBatches().next(1), origin, never);
  while (clock.tries === 0) await new Promise(setImmediate);
  const stop = new AbortController();
  const offered: number[] = [];
  for await (const { seq } of outbox.entries(stop.signal)) {
    offered.push(seq);
    await new Promise(setImmediate);
    if (offered.length === blocks) break;
  }
  assert.ok(clock.tries > 0, 'the store failed meanwhile');
  disk.failing = false;
  await durable;
  assert.deepEqual(
    offered,
    Array.from({ length: blocks }, (_, i) => i + 1),
  );
  assert.deepEqual(events, ['disk']);
  assert.equal(outbox.report().outbox.blocks, blocks + 1);
});

test('what a failing disk kept waiting goes down once it can be written, in order', async () => {
  const [clock, disk] = [new ImpatientClock(), new FailingDisk()];
  await using outbox = await open(await folder(), clock, [], disk);
  const batches = new TestBatches();
  const admissions = [];
  admissions.push(await outbox.append(batches.next(1), { source: 's', position: { at: 1 } }, never));
  await admissions[0]!.durable;
  const slow = await outbox.append(batches.next(1), { source: 's', position: { at: 2 } }, never);
  disk.failing = true;
  let durable = false;
  void slow.durable.then(() => {
    durable = true;
  });
  while (clock.tries < 3) await new Promise(setImmediate);
  assert.equal(durable, false);
  assert.deepEqual(outbox.position('s'), { at: 1 }, 'a position is never ahead of its rows');
  assert.equal(outbox.report().devices[0]!.read, 2, 'what memory holds is read');
  disk.failing = false;
  await slow.durable;
  assert.deepEqual(outbox.position('s'), { at: 2 });
  assert.deepEqual(outbox.report().devices[0]!.held, [
    { epoch: outbox.epoch, from: 1, through: 2, count: 2 },
  ]);
});

test('a block whose sync failed, and which is on the disk all the same, keeps its number and is there once', {
  timeout: 20_000,
}, async () => {
  const base = await folder();
  const [clock, disk, batches] = [new ImpatientClock(), new FailingDisk(), new TestBatches()];
  await using outbox = await open(base, clock, [], disk);
  const appended = (at: number) =>
    outbox.append(batches.next(1), { source: 's', position: { at } }, never).then(({ durable }) => durable);
  await appended(1);
  disk.failing = 'late';
  const failed = outbox.append(batches.next(1), { source: 's', position: { at: 2 } }, never);
  while (clock.tries < 3) await new Promise(setImmediate);
  outbox.link(true);
  assert.deepEqual(
    (await take(walk(outbox), 1)).map(({ seq }) => seq),
    [1],
    'what may not be durable is not offered',
  );
  const copying = crashCopy(base);
  clock.held = copying; // a store that is opened again every 10 ms can hardly be copied
  await using copy = await open(await copying, systemClock);
  const ids = (entries: readonly Entry[]) => entries.map(({ epoch, seq }) => `${epoch}/${seq}`);
  const both = [`${outbox.epoch}/1`, `${outbox.epoch}/2`];
  assert.deepEqual(ids(await waiting(copy)), both);
  assert.deepEqual(copy.position('s'), { at: 2 }, 'so it is not read again');
  disk.failing = false;
  await (await failed).durable;
  assert.deepEqual(ids(await waiting(outbox)).sort(), both);
});

test('an end with rows that never became durable is refused to who waits for them, and is a gap at the next start', async () => {
  const base = await folder();
  await filled(base, 1);
  const disk = new FailingDisk();
  const outbox = await open(base, new ImpatientClock(), [], disk);
  assert.equal(outbox.gap, undefined);
  const { durable } = await outbox.append(new TestBatches().next(1), origin, never);
  disk.failing = true;
  await assert.rejects(Promise.all([durable, outbox[Symbol.asyncDispose]()]), { code: 'EW_STORE_WRITE' });
  await outbox[Symbol.asyncDispose]();
  await using next = await open(base, systemClock);
  assert.ok(next.gap, 'rows were read and not kept');
  assert.equal(next.report().outbox.blocks, 1);
});
