import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Cursor, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Consumer } from './consumer.js';
import type { Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { notYetStored } from './sinks/received.js';

const never = new AbortController().signal;

/** Keeps what it is given; `fail` may throw first. */
function keepingSink(fail: () => void = () => undefined) {
  const kept: number[] = [];
  let cursor: Cursor | undefined;
  const sink: Sink = {
    write: async (deliveries, after) => {
      fail();
      kept.push(...deliveries.map(({ seq }) => seq));
      cursor = after;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { sink, kept, cursor: () => cursor };
}

function consumer(journal: Journal, sink: Sink): Consumer {
  const clock = new FakeClock({ autoAdvance: true });
  return new Consumer({ name: 'sink', sink, journal, clock, log: silentLogger, lingerMs: 10 });
}

/** All that the journal has, then the end. */
async function followToEnd(journal: Journal, sink: Sink): Promise<Consumer> {
  const following = consumer(journal, sink);
  await following.open();
  await following.run(AbortSignal.abort(), never);
  return following;
}

test('writes everything once, in order, and goes on from there at the next start', async t => {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  const { sink, kept } = keepingSink();
  for (let start = 0; start < 2; start++) {
    await using journal = await openJournal(folder);
    const resumed = consumer(journal, sink);
    await resumed.open();
    assert.equal(resumed.position, journal.position, 'nothing is read twice');
    await journal.append(gateway.incoming(3));
    const done = await followToEnd(journal, sink);
    assert.deepEqual([done.lag, done.failure, done.position], [0, null, journal.position]);
  }
  assert.deepEqual(kept, [1, 2, 3, 4, 5, 6]);
});

test('follows while the journal grows, and after stop still takes what is there', async t => {
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  const { sink, kept } = keepingSink();
  const following = consumer(journal, sink);
  await following.open();
  const stop = new AbortController();
  const running = following.run(stop.signal, never);
  await journal.append(gateway.incoming(2));
  while (kept.length < 2) await new Promise(setImmediate);
  const last = journal.append(gateway.incoming(2));
  await last;
  stop.abort();
  await running;
  assert.deepEqual(kept, [1, 2, 3, 4]);
});

test('tries again until the sink stores, without leaving anything out', async t => {
  await using journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(3));
  let failures = 3;
  const { sink, kept } = keepingSink(() => {
    if (failures-- > 0)
      throw failures === 1 ? new TypeError('a mistake') : new EdgewardError('EW_SINK_WRITE');
  });
  const following = consumer(journal, sink);
  await following.open();
  const stop = new AbortController();
  const running = following.run(stop.signal, never);
  while (kept.length === 0) await new Promise(setImmediate);
  stop.abort();
  await running;
  assert.deepEqual(kept, [1, 2, 3]);
  assert.equal(following.failure, null);
});

test('a sink that fails at the end keeps its place', async t => {
  await using journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(3));
  const broken = await followToEnd(journal, keepingSink(() => assert.fail('full')).sink);
  assert.deepEqual([broken.position, broken.lag, broken.failure], [0, 3, 'full']);
  const { sink, kept } = keepingSink();
  await followToEnd(journal, sink);
  assert.deepEqual(kept, [1, 2, 3]);
});

test('a journal that cannot be read for a while, as when it is opened again, does not end it', async t => {
  await using journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(2));
  const read = journal.read.bind(journal);
  let failures = 2;
  journal.read = (after, limits) =>
    failures-- > 0 ? Promise.reject(new Error('Database is not open')) : read(after, limits);
  const { sink, kept } = keepingSink();
  const following = consumer(journal, sink);
  await following.open();
  const stop = new AbortController();
  const running = following.run(stop.signal, never);
  while (kept.length === 0) await new Promise(setImmediate);
  stop.abort();
  await running;
  assert.deepEqual(kept, [1, 2]);
});

test('with another journal it starts at the beginning and skips what its own cursor names', async t => {
  const gateway = new TestGateway();
  const blocks = gateway.incoming(5);
  await using lost = await openJournal(await folderFor(t));
  await lost.append(blocks.slice(0, 3));
  const before = keepingSink();
  await followToEnd(lost, before.sink);
  await using fresh = await openJournal(await folderFor(t));
  await fresh.append([blocks[4]!, blocks[1]!, blocks[3]!]); // sent again to the new collector, in any order
  const after = keepingSink();
  const sink: Sink = { ...after.sink, cursor: async () => before.cursor() };
  await followToEnd(fresh, sink);
  assert.deepEqual(after.kept, [5, 4]);
  assert.deepEqual(after.cursor()?.received[`gw-1/${gateway.epoch}`], [[1, 5]]);
  assert.equal(fresh.cursor('sink'), undefined, 'a sink that keeps its cursor is the only one to do so');
});

/** As a sink that keeps its cursor beside its rows, and takes nothing twice. */
function placedSink() {
  const { sink, kept, cursor } = keepingSink();
  const write: Sink['write'] = (deliveries, after, deadline) =>
    sink.write(notYetStored(deliveries, cursor(), after.journal), after, deadline);
  return { kept, cursor, sink: { ...sink, write, cursor: async () => cursor() } };
}

async function loseLog(folder: string): Promise<void> {
  const store = path.join(folder, 'journal');
  const logs = (await readdir(store)).filter(name => name.endsWith('.log'));
  assert.ok(logs.length > 0);
  for (const name of logs) await rm(path.join(store, name));
}

test('after the journal has lost blocks, a sink that has stored them gets every later one', async t => {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  const { sink, kept, cursor } = placedSink();
  {
    await using journal = await openJournal(folder);
    await journal.append(gateway.incoming(5));
    await followToEnd(journal, sink);
    assert.deepEqual(journal.damage, []);
  }
  await loseLog(folder);
  for (const sent of [2, 3]) {
    await using journal = await openJournal(folder);
    const following = consumer(journal, sink);
    await following.open();
    const told = journal.damage.filter(text => text.includes('after a sink had stored'));
    assert.equal(told.length, sent === 2 ? 1 : 0, 'told once');
    await journal.append(gateway.incoming(sent));
    await following.run(AbortSignal.abort(), never);
    assert.equal(following.lag, 0);
  }
  assert.deepEqual(kept, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(cursor()?.position, 10);
});
