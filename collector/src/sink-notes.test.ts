/** Feeds keep what a sink has yet to store, whether it is open or not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { folderFor, openJournal } from './journal/testing/blocks.js';
import type { NoteFeed } from './notes/feed.js';
import { SinkSet } from './sink-set.js';
import { sinkConfig } from './sinks/index.js';
import { FakeServer } from './testing/kept-sink.js';

const never = new AbortController().signal;

test('a feed is told how far the last of those that take notes has come, also of one that is down', async t => {
  const folder = await folderFor(t);
  const passed: number[] = [];
  const feed: NoteFeed = {
    feed: 'incident',
    store: 'alerts-1',
    last: 7 as number,
    read: async () => [],
    passed: through => void passed.push(through),
    onMore: () => () => undefined,
  };
  const start = async (takers: readonly boolean[], servers: readonly FakeServer[]) => {
    await using journal = await openJournal(folder);
    const set = new SinkSet({
      journal,
      feeds: [feed],
      create: ({ name }) =>
        Object.assign(servers[Number(name.slice(1))]!.sink(), { takesNotes: takers[Number(name.slice(1))]! }),
      sinks: servers.map((_, i) =>
        sinkConfig.parse({ type: 'file', name: `s${i}`, directory: `/nowhere/${i}` }),
      ),
      receiptAfter: 'journal',
      onMoved: () => undefined,
      untilTrimmed: async () => undefined,
      lingerMs: 1,
      clock: systemClock,
      log: silentLogger,
    });
    const stop = new AbortController();
    await set.open(AbortSignal.any([stop.signal, AbortSignal.timeout(100)]));
    const running = set.run(stop.signal, never);
    const before = passed.length;
    while (passed.length < before + 1) await systemClock.sleep(5, never);
    stop.abort();
    await running;
    await set[Symbol.asyncDispose]();
    return passed.at(-1);
  };
  const [one, two] = [new FakeServer(), new FakeServer()];
  one.cursor = { journal: 'another', position: 3, received: {}, notes: { 'incident/alerts-1': 6 } };
  two.cursor = { journal: 'another', position: 3, received: {}, notes: { 'incident/alerts-1': 4 } };
  assert.equal(await start([false, false], [one, two]), Number.POSITIVE_INFINITY);
  assert.equal(await start([true, true], [one, two]), 7, 'what is no longer there is passed');
  Object.assign(feed, { last: 9 });
  two.isDown = true;
  assert.equal(await start([true, true], [one, two]), 7, 'where it was known to stand');
  assert.equal(await start([true, false], [one, two]), 9);
});
