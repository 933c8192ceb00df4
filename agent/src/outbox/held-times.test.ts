/** Blocks of a clock that is not known to be right: held, corrected once, durably, then offered. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { decodeBlock } from '@edgeward/shared/wire';
import { correctTimes } from '../time/correct.js';
import type { ClockStamp, OutboxTime } from './core.js';
import {
  appendDurably,
  crashCopy,
  folder,
  never,
  open,
  polled,
  removeFolders,
  sums,
  take,
  until,
  waiting,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 60_000 };

/** Does not know the time until it is told. */
class LateClock implements OutboxTime {
  known: number | undefined;
  inDoubt = true;
  readonly #listeners: (() => void)[] = [];

  stamp(): ClockStamp | undefined {
    return this.inDoubt ? { boot: '0123456789abcdef0123456789abcdef', monotonicMs: 5 } : undefined;
  }

  correctionFor() {
    return this.known === undefined ? ('wait' as const) : { offsetMs: this.known, unsure: false };
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  correct(batch: RecordBatch, offsetMs: number, unsure: boolean): RecordBatch {
    return correctTimes(batch, offsetMs, unsure);
  }

  learn(offsetMs: number): void {
    this.known = offsetMs;
    this.inDoubt = false;
    for (const listener of this.#listeners) listener();
  }
}

const year = 365 * 86_400_000;

test('waits on disk, goes on with the right time, and the ledger knows it all along', limit, async () => {
  const base = await folder();
  const clock = new LateClock();
  await using outbox = await open(base, { time: () => clock, maxLossMs: 50 });
  outbox.link(true, 1e6);
  const entries = walk(outbox);
  const batches = new TestBatches();
  const wrong = batches.next(2);
  await (await outbox.append(wrong, polled, never)).durable;
  await appendDurably(outbox, batches.next(2));
  assert.deepEqual(sums(outbox), { read: 8, held: 8, rejected: 0, thinned: 0, dropped: 0, damaged: 0 });
  clock.inDoubt = false;
  await outbox.append(batches.next(2), polled, never);
  assert.deepEqual(
    (await take(entries, 1)).map(({ seq }) => seq),
    [3],
    'what is certain does not wait for what is not',
  );
  clock.learn(year);
  const [first, second] = await take(entries, 2);
  assert.deepEqual([first!.seq, second!.seq], [1, 2]);
  const { header, batch } = decodeBlock(first!.bytes, () => first!.described);
  assert.equal(header.clock, undefined);
  assert.deepEqual(
    [...batch.time],
    [...wrong.time].map(ms => ms + year),
  );
  assert.equal(sums(outbox).held, 12);
});

test('also after a restart, whatever the new process knows', limit, async () => {
  const base = await folder();
  const before = new LateClock();
  await using outbox = await open(base, { time: () => before });
  const wrong = new TestBatches().next(2);
  await appendDurably(outbox, wrong);
  const clock = new LateClock();
  await using again = await open(await crashCopy(base), { time: () => clock });
  assert.deepEqual(await waiting(again), []);
  clock.learn(-1000);
  const [entry] = await take(walk(again), 1);
  const { header, batch } = decodeBlock(entry!.bytes, () => entry!.described);
  assert.deepEqual([header.seq, header.clock, batch.time[0]], [1, undefined, wrong.time[0]! - 1000]);
  assert.equal(sums(again).held, 4);
});

test('what the keeper of the time knows is saved along and handed to the next start', limit, async () => {
  const base = await folder();
  class Remembering extends LateClock {
    state = () => ({ lastKnownMs: 42 });
  }
  {
    await using outbox = await open(base, { time: () => new Remembering() });
    await appendDurably(outbox, new TestBatches().next(1));
  }
  let saved: unknown;
  await using _again = await open(base, {
    time: state => {
      saved = state;
      return new LateClock();
    },
  });
  await until(() => saved !== undefined);
  assert.deepEqual(saved, { lastKnownMs: 42 });
});
