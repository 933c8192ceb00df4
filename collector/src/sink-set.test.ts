/** Sinks that come late, and what the journal may do meanwhile. */
import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { SinkSet } from './sink-set.js';
import { type SinkConfig, sinkConfig } from './sinks/index.js';
import { FakeServer } from './testing/kept-sink.js';

const never = new AbortController().signal;
const limit = { timeout: 20_000 };

function configOf(name: string): SinkConfig {
  return sinkConfig.parse({ type: 'file', name, directory: `/nowhere/${name}` });
}

/** Sinks on these servers; time passes by itself. */
function setOf(journal: Journal, servers: Readonly<Record<string, FakeServer>>, own = true) {
  const clock = new FakeClock({ autoAdvance: true });
  const stop = new AbortController();
  const set = new SinkSet({
    journal,
    create: ({ name }) => servers[name]!.sink(own),
    sinks: Object.keys(servers).map(configOf),
    receiptAfter: 'journal',
    onMoved: () => undefined,
    lingerMs: 1,
    clock,
    log: silentLogger,
  });
  let running = Promise.resolve();
  return {
    set,
    start: async () => {
      await set.open(never);
      running = set.run(stop.signal, never);
    },
    end: async () => {
      stop.abort();
      await running;
      await set[Symbol.asyncDispose]();
    },
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.sleep(2, never);
  assert.ok(holds(), what);
}

test(
  'a server that is down at the start holds up nobody, and gets everything once it is back',
  limit,
  async t => {
    await using journal = await openJournal(await folderFor(t));
    const gateway = new TestGateway();
    const [up, down] = [new FakeServer(), new FakeServer()];
    down.isDown = true;
    const { set, start, end } = setOf(journal, { up, down });
    await start();
    await journal.append(gateway.incoming(3));
    await until('the other sink stores', () => up.seqs.length === 3);
    const late = set.all[1]!;
    assert.deepEqual([late.isOpen, late.position, late.lag], [false, 0, 3]);
    assert.match(late.failure ?? '', /server is down/);
    down.isDown = false;
    await until('it has caught up', () => down.seqs.length === 3);
    await end();
    assert.deepEqual([late.failure, late.lag, down.seqs, down.closed], [null, 0, [1, 2, 3], 1]);
  },
);

test('before it is open a sink stands where the journal last knew it', limit, async t => {
  const folder = await folderFor(t);
  const server = new FakeServer();
  const gateway = new TestGateway();
  {
    await using journal = await openJournal(folder);
    const { start, end } = setOf(journal, { server });
    await start();
    await journal.append(gateway.incoming(4));
    await end();
  }
  server.isDown = true;
  await using journal = await openJournal(folder);
  const { set, start, end } = setOf(journal, { server });
  await start();
  await journal.append(gateway.incoming(2));
  assert.deepEqual([set.all[0]!.isOpen, set.all[0]!.position, set.all[0]!.lag], [false, 4, 2]);
  await end();
  assert.deepEqual(server.seqs, [1, 2, 3, 4]);
});

test('ends although a sink never answers', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const server = new FakeServer();
  server.hangs = true;
  const { set, start, end } = setOf(journal, { server });
  await start();
  assert.equal(set.all[0]!.isOpen, false);
  await end();
});

test(
  'a sink that has more than a journal that lost blocks gets every later one, however late it opens',
  limit,
  async t => {
    const folder = await folderFor(t);
    const gateway = new TestGateway();
    const server = new FakeServer();
    {
      await using journal = await openJournal(folder);
      await journal.append(gateway.incoming(2));
    }
    {
      await using journal = await openJournal(folder);
      const { start, end } = setOf(journal, { server });
      await start();
      await journal.append(gateway.incoming(5));
      await end();
    }
    const store = path.join(folder, 'journal');
    for (const name of (await readdir(store)).filter(one => one.endsWith('.log')))
      await rm(path.join(store, name));
    server.isDown = true;
    await using journal = await openJournal(folder);
    assert.equal(journal.position, 2, 'its newest blocks are lost');
    const { set, start, end } = setOf(journal, { server });
    await start();
    await journal.append(gateway.incoming(3));
    server.isDown = false;
    await until('it has caught up', () => set.all[0]!.isOpen && set.all[0]!.lag === 0);
    await end();
    assert.deepEqual(server.seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const told = journal.damage.filter(text => text.includes('Blocks 3 to 7 were lost here'));
    assert.equal(told.length, 1, `${journal.damage}`);
  },
);
