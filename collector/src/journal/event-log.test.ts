import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { numberKey } from '@edgeward/shared/store';
import { ClassicLevel } from 'classic-level';
import { Kept } from '../notes/feed.js';
import { epochOf, folderFor, openJournal } from './testing/blocks.js';

const event = (atMs: number) => ({
  gateway: 'gw-1',
  epoch: epochOf(1),
  kind: 'gap' as const,
  text: `event ${atMs}`,
  atMs,
  details: { from: 1 },
});

test('events are notes in their order, also after a restart', async t => {
  const folder = await folderFor(t);
  const first = await openJournal(folder);
  let more = 0;
  first.eventLog.onMore(() => (more += 1));
  for (let atMs = 1; atMs <= 3; atMs++) await first.addEvent(event(atMs));
  assert.equal(more, 3);
  const [, second] = await first.eventLog.read(0, 10);
  assert.equal(second?.store, first.id);
  assert.deepEqual(second?.value, { kind: 'gap', text: 'event 2', epoch: epochOf(1), details: { from: 1 } });
  await first[Symbol.asyncDispose]();
  await using journal = await openJournal(folder);
  await journal.addEvent(event(4));
  const numbers = (await journal.eventLog.read(1, 2)).map(({ number, atMs }) => [number, atMs]);
  assert.deepEqual(numbers, [
    [2, 2],
    [3, 3],
  ]);
  assert.equal(journal.eventLog.last, 4);
});

test('what a sink has yet to store is kept beyond the newest', async t => {
  await using journal = await openJournal(await folderFor(t));
  journal.eventLog.passed(2);
  for (let atMs = 1; atMs <= 1010; atMs++) await journal.addEvent(event(atMs));
  const oldest = async () => (await journal.eventLog.read(0, 1))[0]?.number;
  assert.equal(await oldest(), 3);
  assert.equal(journal.events().length, 1000, 'in memory only the newest');
  journal.eventLog.passed(1010);
  await journal.addEvent(event(1011));
  assert.equal(await oldest(), 12);
});

test('a sink that lags for ever makes a feed give its oldest up', () => {
  const kept = new Kept(1, 10, 100);
  kept.passed(5);
  const gone: number[] = [];
  for (let last = 1; last <= 130; last++) gone.push(...kept.leaving(last));
  assert.deepEqual(
    gone,
    Array.from({ length: 30 }, (_, i) => i + 1),
  );
});

test('damaged events are left out, and are not taken for the end', async t => {
  const folder = await folderFor(t);
  const first = await openJournal(folder);
  for (let atMs = 1; atMs <= 5; atMs++) await first.addEvent(event(atMs));
  await first[Symbol.asyncDispose]();
  const db = new ClassicLevel<Buffer, string>(path.join(folder, 'journal'), { keyEncoding: 'buffer' });
  for (const number of [2, 3]) await db.put(numberKey('n', number), '{"se');
  await db.close();
  await using journal = await openJournal(folder);
  const numbers = (await journal.eventLog.read(1, 2)).map(({ number }) => number);
  assert.deepEqual(numbers, [4, 5]);
});
