/** Sinks that come late, and what the journal may do meanwhile. */
import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Incoming, Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { noChanges } from './sink-changes.js';
import { type SinkConfig, sinkConfig } from './sinks/index.js';
import { FakeServer } from './testing/kept-sink.js';
import { configOf, setOf, told, until } from './testing/sinks-of.js';

const limit = { timeout: 20_000 };

/** Blocks that came at these times. */
function at(gateway: TestGateway, times: readonly number[]): Incoming[] {
  return times.flatMap(ingestedMs => gateway.incoming(1).map(block => ({ ...block, ingestedMs })));
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
    const lost = journal.damage.filter(text => /Blocks 3 to \d+ were lost here/.test(text));
    assert.equal(lost.length, 1, `${journal.damage}`);
    assert.equal(journal.appended, 5, 'positions that were left out are no blocks');
    assert.doesNotMatch(told(journal).join(), /no longer has all/);
  },
);

test('a sink that is added begins where it is told to, once and for all', limit, async t => {
  const folder = await folderFor(t);
  const times = [1000, 2000, 3000, 4000, 5000, 6000];
  const names = ['first', 'all', 'now', 'since'];
  const servers = Object.fromEntries(names.map(name => [name, new FakeServer()]));
  const sinks = [
    configOf('first'),
    configOf('all'),
    configOf('now', { startAt: 'now' }),
    configOf('since', { startAt: new Date(4000).toISOString() }),
  ];
  for (const own of [true, false]) {
    for (const server of Object.values(servers)) server.wipe();
    const place = path.join(folder, String(own));
    const epoch = new TestGateway('gw-1', own ? 1 : 2);
    {
      await using journal = await openJournal(place);
      const { set, start, change, end } = setOf(journal, servers, { own, sinks: sinks.slice(0, 1) });
      await start();
      await journal.append(at(epoch, times));
      const changes = await change(sinks);
      assert.deepEqual(changes, { ...noChanges, added: names.slice(1) });
      assert.deepEqual(
        set.all.map(({ name }) => journal.sinkBook.get(name)?.start?.position),
        [0, 0, 6, 3],
        'kept before the answer',
      );
      await end();
    }
    // Restarted by kill or not, with whatever stands in the file by then.
    await using journal = await openJournal(place);
    const { start, caughtUp, end } = setOf(journal, servers, {
      own,
      sinks: names.map(name => configOf(name)),
    });
    await start();
    await journal.append(at(epoch, [7000]));
    await caughtUp();
    await end();
    assert.deepEqual(
      names.map(name => servers[name]!.seqs),
      [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], [7], [4, 5, 6, 7]],
      `cursor ${own ? 'of its own' : 'kept by the journal'}`,
    );
    assert.match(told(journal).join(), /Sink now was added: it starts at now, behind position 6\./);
  }
});

test(
  'a sink that is removed is told and forgotten; back again it begins anew, or where its own store stands',
  limit,
  async t => {
    for (const own of [true, false]) {
      await using journal = await openJournal(await folderFor(t));
      const gateway = new TestGateway();
      const [stays, goes] = [new FakeServer(), new FakeServer()];
      const both = [configOf('stays'), configOf('goes')];
      const { set, start, change, caughtUp, end } = setOf(journal, { stays, goes }, { own });
      await start();
      await journal.append(gateway.incoming(3));
      await caughtUp();
      assert.deepEqual((await change(both.slice(0, 1))).removed, ['goes']);
      assert.deepEqual([goes.closed, set.all.length, journal.cursor('goes')], [1, 1, undefined]);
      assert.equal(journal.sinkBook.get('goes'), undefined);
      assert.match(told(journal).join(), /Sink goes was removed: it stood at position 3\./);
      await journal.append(gateway.incoming(2));
      await change(both);
      await caughtUp();
      await end();
      assert.deepEqual(goes.seqs, own ? [1, 2, 3, 4, 5] : [1, 2, 3, 1, 2, 3, 4, 5]);
      assert.deepEqual(stays.seqs, [1, 2, 3, 4, 5]);
    }
  },
);

test('a removed sink that never ends its write does not hold up what follows', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const [stays, hangs] = [new FakeServer(), new FakeServer()];
  const { start, change, caughtUp, end } = setOf(journal, { stays, hangs });
  await start();
  hangs.hangs = true;
  await journal.append(new TestGateway().incoming(2));
  await until('the other one has stored', () => stays.seqs.length === 2);
  await change([configOf('stays')]);
  await caughtUp();
  assert.match(told(journal).join(), /had not stored the last 2 blocks/);
  await end();
});

test('with other options a sink goes on where it stood; of another type it begins anew', limit, async t => {
  const folder = await folderFor(t);
  await using journal = await openJournal(folder);
  const gateway = new TestGateway();
  const server = new FakeServer();
  const { start, change, caughtUp, end } = setOf(journal, { server }, { own: false });
  await start();
  await journal.append(gateway.incoming(2));
  await caughtUp();
  const other = { maxBytes: 2048 };
  assert.deepEqual((await change([configOf('server', other)])).replaced, ['server']);
  const later = configOf('server', { ...other, startAt: 'now' });
  const changes = await change([later]);
  assert.deepEqual([changes.replaced, changes.notes.length], [[], 1]);
  await journal.append(gateway.incoming(1));
  await caughtUp();
  assert.deepEqual([server.seqs, server.closed], [[1, 2, 3], 1]);
  const typed = { ...later, type: 'other' } as unknown as SinkConfig;
  const retyped = await change([typed]);
  assert.deepEqual([retyped.added, retyped.removed, retyped.replaced], [['server'], ['server'], []]);
  await caughtUp();
  await journal.append(gateway.incoming(1));
  await caughtUp();
  await end();
  assert.deepEqual(server.seqs, [1, 2, 3, 4]);
});

test('what cannot be changed leaves all as it was', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const server = new FakeServer();
  const { set, start, change, caughtUp, end } = setOf(journal, { server });
  await start();
  await assert.rejects(change([configOf('missing'), configOf('added')], ['added']), TypeError);
  await journal.append(new TestGateway().incoming(1));
  await caughtUp();
  assert.deepEqual([set.all.map(({ name }) => name), set.required, server.seqs], [['server'], [], [1]]);
  assert.deepEqual(journal.sinkBook.names(), ['server']);
  await end();
});

test('sinks that left while nothing ran are told and forgotten at the next start', limit, async t => {
  const folder = await folderFor(t);
  const servers = { stays: new FakeServer(), goes: new FakeServer() };
  {
    await using journal = await openJournal(folder);
    const { start, end } = setOf(journal, servers);
    await start();
    await journal.append(new TestGateway().incoming(2));
    await end();
  }
  await using journal = await openJournal(folder);
  const { start, end } = setOf(journal, servers, { sinks: [configOf('stays')] });
  await start();
  await end();
  assert.match(told(journal).join(), /Sink goes is no longer configured: it stood at position 2/);
  assert.deepEqual(journal.sinkBook.names(), ['stays']);
});

test('what a sink of another type, or an emptied one, stores again is no letter any more', limit, async t => {
  const folder = await folderFor(t);
  const server = new FakeServer();
  server.refused = new Set([2]);
  const letters = (journal: Journal) => journal.sinkLetters.list(9, 'server').length;
  const place = { url: 'http://localhost:8086', org: 'o', bucket: 'b', token: { file: '/nowhere/token' } };
  const influxdb = sinkConfig.parse({ type: 'influxdb', name: 'server', ...place });
  await using journal = await openJournal(folder);
  await journal.append(new TestGateway().incoming(3));
  const { start, change, caughtUp, end } = setOf(journal, { server }, { sinks: [influxdb] });
  await start();
  await caughtUp();
  assert.equal(letters(journal), 1);
  server.wipe();
  await change([configOf('server')]);
  await caughtUp();
  assert.deepEqual([letters(journal), server.seqs], [1, [1, 3]], 'it refuses that, too');
  await end();
  const { id } = journal.sinkLetters.list(1)[0]!;
  await journal.sinkLetters.discard([id]);
  const deleted = () => journal.sinkLetters.gone().get('server')?.rows;
  assert.equal(deleted(), 4);
  for (const refused of [[2], []]) {
    server.wipe();
    server.refused = new Set(refused);
    const again = setOf(journal, { server });
    await again.start();
    await again.caughtUp();
    await again.end();
    assert.equal(letters(journal), refused.length);
    assert.equal(deleted(), undefined, 'of an empty store no row was deleted');
  }
  assert.deepEqual(server.seqs, [1, 2, 3]);
});

test('a store that was emptied is filled again with what the journal has', limit, async t => {
  const folder = await folderFor(t);
  const server = new FakeServer();
  const gateway = new TestGateway();
  for (const wiped of [false, true]) {
    if (wiped) server.wipe();
    await using journal = await openJournal(folder);
    const { start, caughtUp, end } = setOf(journal, { server });
    await start();
    await journal.append(gateway.incoming(2));
    await caughtUp();
    await end();
    assert.equal(told(journal).filter(text => /begins again with/.test(text)).length, wiped ? 1 : 0);
  }
  assert.deepEqual(server.seqs, [1, 2, 3, 4]);
});

test(
  'rows before a start stay told while its store lacks them, through removal, return and an empty store',
  limit,
  async t => {
    const folder = await folderFor(t);
    const server = new FakeServer();
    const gateway = new TestGateway();
    const late = configOf('server', { startAt: 'now' });
    const skippedIn = (journal: Journal) =>
      Object.values(journal.sinkBook.skipped().get('server') ?? {}).map(devices =>
        Object.values(devices).reduce((sum, spans) => sum + new RangeSet(spans).count, 0),
      );
    {
      await using journal = await openJournal(folder);
      await journal.append(gateway.incoming(3));
      const { start, change, caughtUp, end } = setOf(journal, { server }, { sinks: [late] });
      await start();
      assert.deepEqual(skippedIn(journal), [12]);
      await journal.append(gateway.incoming(1));
      await caughtUp();
      await change([]);
      assert.deepEqual(skippedIn(journal), [], 'nobody asks while it is away');
      await journal.append(gateway.incoming(1));
      await change([configOf('server')]);
      await caughtUp();
      assert.deepEqual([server.seqs, skippedIn(journal)], [[4, 5], [12]]);
      await end();
    }
    {
      await using journal = await openJournal(folder);
      const { start, change, end } = setOf(journal, { server });
      await start();
      await change([]);
      server.wipe();
      await change([late]);
      await until('it is open', () => journal.sinkBook.get('server')?.joined === true);
      await end();
      assert.deepEqual(skippedIn(journal), [20], 'another store lacks what came before it');
    }
    await using journal = await openJournal(folder);
    const { start, caughtUp, end } = setOf(journal, { server });
    await start();
    await journal.append(gateway.incoming(1));
    await caughtUp();
    await end();
    server.wipe();
    const again = setOf(journal, { server });
    await again.start();
    await again.caughtUp();
    await again.end();
    assert.deepEqual([server.seqs, skippedIn(journal)], [[6], [20]], 'filled again from where it began');
  },
);
