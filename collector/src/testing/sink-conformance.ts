/** What every sink must do, whatever it writes to. A sink's test calls this once with its harness. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Cursor, Sink } from '@edgeward/shared/contracts';
import { isRetryable } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import { cursorAfter, renumbered } from './deliveries.js';
import { bench, deliveriesOf, type SinkHarness } from './sink-bench.js';
import { notesOnce, refusals, refusedReplays, replays } from './sink-letters-conformance.js';

export type { SinkHarness, StoredRow } from './sink-bench.js';

const open = new AbortController().signal;

export function sinkConformance(name: string, harness: SinkHarness): void {
  const { createFailing, refusesLongTexts, noteIdsOf } = harness;
  describe(`${name} as a sink`, () => {
    test('stores every row, in order', t => storesAll(t, harness));
    test('the same deliveries again change nothing', t => redelivery(t, harness));
    test('goes on after a crash between writes', t => crashes(t, harness));
    if (createFailing)
      test('a write that fails half way is made good by the next', t => failures(t, harness, createFailing));
    test('another journal brings only what is new', t => foreignJournal(t, harness));
    test('a write of nothing moves the cursor', t => onward(t, harness));
    test('a deadline leaves it consistent', t => aborted(t, harness));
    test('may be disposed twice, and unopened', t => disposal(t, harness));
    test('two of them do not know each other', t => independence(t, harness));
    if (refusesLongTexts)
      test('what its store will never take is handed back, precisely', t => refusals(t, harness));
    if (refusesLongTexts)
      test('a dead letter that is refused again may be tried until it is taken', t =>
        refusedReplays(t, harness));
    test('a dead letter is replayed once, and the cursor stays', t => replays(t, harness));
    if (noteIdsOf)
      test('notes are stored once, with and without deliveries', t => notesOnce(t, harness, noteIdsOf));
  });
}

async function storesAll(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(1, 7);
  await using sink = create(dir);
  assert.equal(await sink.cursor?.(), undefined);
  const first = cursorAfter(deliveries.slice(0, 3));
  await sink.write(deliveries.slice(0, 3), first, open);
  await check(deliveries.slice(0, 3));
  await sink.write(deliveries.slice(3), cursorAfter(deliveries.slice(3), 'journal-1', first), open);
  await check(deliveries);
}

async function redelivery(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(2, 6);
  {
    await using sink = create(dir);
    await sink.cursor?.();
    await sink.write(deliveries.slice(0, 4), cursorAfter(deliveries.slice(0, 4)), open);
    await sink.write(deliveries.slice(0, 4), cursorAfter(deliveries.slice(0, 4)), open);
  }
  await using again = create(dir);
  await again.cursor?.();
  await again.write(deliveries, cursorAfter(deliveries), open);
  await check(deliveries);
}

async function crashes(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(3, 9);
  const abandoned: Sink[] = [];
  t.after(() => Promise.all(abandoned.map(sink => sink[Symbol.asyncDispose]())));
  for (let done = 0; done < deliveries.length; done += 3) {
    const sink = create(dir);
    abandoned.push(sink);
    const cursor = await sink.cursor?.();
    if (sink.cursor) assert.equal(cursor?.position ?? 0, done);
    const part = deliveries.slice(0, done + 3);
    await sink.write(cursor ? part.slice(done) : part, cursorAfter(part), open);
  }
  await check(deliveries);
}

async function failures(
  t: TestContext,
  harness: SinkHarness,
  createFailing: NonNullable<SinkHarness['createFailing']>,
) {
  const { dir, check } = await bench(t, harness);
  const seed = 4;
  t.diagnostic(`seed ${seed}`);
  const rng = seededRng(seed);
  let trouble = false;
  let failed = 0;
  await using sink = createFailing(dir, () => trouble && rng() < 0.5);
  const deliveries = deliveriesOf(seed, 24);
  let cursor: Cursor | undefined = await sink.cursor?.();
  for (let at = 0; at < deliveries.length; at += 4) {
    const part = deliveries.slice(at, at + 4);
    const after = cursorAfter(part, 'journal-1', cursor);
    trouble = true;
    for (let attempt = 0; ; attempt++) {
      trouble = attempt < 5;
      try {
        await sink.write(part, after, open);
        break;
      } catch (error) {
        assert.ok(isRetryable(error), `retryable: ${error}`);
        failed += 1;
      }
    }
    cursor = after;
  }
  assert.ok(failed > 0, 'nothing failed: this test proves nothing');
  await check(deliveries);
}

async function foreignJournal(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(5, 8);
  const before = cursorAfter(deliveries.slice(0, 5));
  {
    await using sink = create(dir);
    await sink.cursor?.();
    await sink.write(deliveries.slice(0, 5), before, open);
  }
  await using sink = create(dir);
  await sink.cursor?.();
  // The new journal got the last two of the old one again, at positions of its own.
  const fresh = renumbered(deliveries.slice(3));
  await sink.write(fresh.slice(0, 3), cursorAfter(fresh.slice(0, 3), 'journal-2', before), open);
  await sink.write(fresh.slice(3), cursorAfter(fresh, 'journal-2', before), open);
  await check(deliveries);
}

async function onward(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(10, 3);
  {
    await using sink = create(dir);
    await sink.cursor?.();
    await sink.write(deliveries.slice(0, 2), cursorAfter(deliveries.slice(0, 2)), open);
    await sink.write([], cursorAfter(deliveries), open);
  }
  await using sink = create(dir);
  const cursor = await sink.cursor?.();
  if (sink.cursor) assert.equal(cursor?.position, 3);
  await check(deliveries.slice(0, 2));
}

async function aborted(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const deliveries = deliveriesOf(6, 10);
  await using sink = create(dir);
  await sink.cursor?.();
  const over = new AbortController();
  over.abort();
  await sink.write(deliveries, cursorAfter(deliveries), over.signal).catch(() => undefined);
  const soon = new AbortController();
  const writing = sink.write(deliveries, cursorAfter(deliveries), soon.signal).catch(() => undefined);
  setImmediate(() => soon.abort());
  await writing;
  await sink.write(deliveries, cursorAfter(deliveries), open);
  await check(deliveries);
}

async function disposal(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const unopened = create(dir);
  await unopened[Symbol.asyncDispose]();
  await unopened[Symbol.asyncDispose]();
  const sink = create(dir);
  const deliveries = deliveriesOf(7, 2);
  await sink.cursor?.();
  await sink.write(deliveries, cursorAfter(deliveries), open);
  await sink[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
  await check(deliveries);
}

async function independence(t: TestContext, harness: SinkHarness) {
  const [one, two] = [await bench(t, harness), await bench(t, harness)];
  const [a, b] = [deliveriesOf(8, 6), deliveriesOf(9, 4)];
  await using first = one.create(one.dir);
  await using second = two.create(two.dir);
  await Promise.all([first.cursor?.(), second.cursor?.()]);
  await Promise.all([first.write(a, cursorAfter(a), open), second.write(b, cursorAfter(b), open)]);
  await Promise.all([one.check(a, 'first'), two.check(b, 'second')]);
}
