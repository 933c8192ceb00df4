import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { LiveFeed } from './live-feed.js';

test('shows each block once and in order, whatever is stored while the journal is read back', async t => {
  await using journal = await openJournal(await folderFor(t));
  const shown: number[] = [];
  const feed: LiveFeed = new LiveFeed(deliveries =>
    shown.push(...deliveries.map(({ position }) => position)),
  );
  const gateway = new TestGateway();
  const store = async (n: number) => feed.take(await journal.append(gateway.incoming(n)));
  await store(700);
  assert.deepEqual(shown, [], 'what is there will be read');
  const stop = new AbortController();
  const reading = feed.readBack(journal, { clock: systemClock, log: silentLogger, stop: stop.signal });
  for (let i = 0; i < 30; i++) await store(10);
  await reading;
  for (let i = 0; i < 3; i++) await store(2);
  assert.deepEqual(
    shown,
    Array.from({ length: 1006 }, (_, i) => i + 1),
  );
});

test('a journal that fails is read again', async t => {
  await using journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(3));
  const shown: Delivery[] = [];
  const feed = new LiveFeed(deliveries => shown.push(...deliveries));
  const read = journal.read.bind(journal);
  let failures = 2;
  journal.read = (...args) => (failures-- > 0 ? Promise.reject(new Error('closed')) : read(...args));
  const clock = { ...systemClock, sleep: async () => undefined };
  await feed.readBack(journal, { clock, log: silentLogger, stop: new AbortController().signal });
  assert.equal(shown.length, 3);
});
