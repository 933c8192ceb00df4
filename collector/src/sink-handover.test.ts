/** Sinks that are changed while the collector runs: what comes and what goes never leave a gap between them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import type { Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { Releases } from './releases.js';
import { type Follower, Retention } from './retention.js';
import type { SinkSet } from './sink-set.js';
import type { SinkConfig } from './sinks/index.js';
import { FakeServer } from './testing/kept-sink.js';
import { configOf, setOf, told, until } from './testing/sinks-of.js';

const never = new AbortController().signal;
const limit = { timeout: 30_000 };
const blocks = 300;
const typed = (config: SinkConfig) => ({ ...config, type: 'other' }) as unknown as SinkConfig;

/** A journal with blocks on disk, where they have a size. */
async function journalOf(t: TestContext) {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  {
    await using journal = await openJournal(folder);
    await journal.append(gateway.incoming(blocks));
  }
  return { folder, gateway, journal: await openJournal(folder) };
}

/** Full, whatever it holds; somebody else has stored everything. */
function retentionOf(journal: Journal, set: () => SinkSet, diskIsFull = () => false): Retention {
  const incidents = (): Follower => {
    const { position } = journal;
    return { name: 'incidents', position, between: act => act(position, position) };
  };
  return new Retention({
    journal,
    consumers: () => [incidents(), ...set().followers],
    required: () => new Set(set().required.map(({ name }) => name)),
    maxBytes: 1,
    diskIsFull,
    clock: systemClock,
    log: silentLogger,
  });
}

/** A gate that whatever waits for it passes once it is opened. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { opened, open };
}

const numbers = (from: number, through: number) =>
  Array.from({ length: through - from + 1 }, (_, i) => from + i);

/** Seqs of the blocks that a sink was told it will not get; here they are positions, too. */
function givenUp(journal: Journal, name: string): number[] {
  const lost = (journal.losses.all().get(name)?.ranges ?? []).flatMap(([from, through]) =>
    numbers(from, through),
  );
  // Of two devices, each has two rows in a block.
  const skipped = Object.values(journal.sinkBook.skipped().get(name) ?? {}).flatMap(devices =>
    (Object.values(devices)[0] ?? []).flatMap(([from, through]) => numbers((from + 1) / 2, through / 2)),
  );
  return [...new Set([...lost, ...skipped])].sort((a, b) => a - b);
}

test('a full journal keeps for the sink that comes what the one that goes has not stored', limit, async t => {
  for (const isRequired of [true, false]) {
    const { journal } = await journalOf(t);
    await using _ = journal;
    const [kafka, kafka2] = [new FakeServer(), new FakeServer()];
    const closing = gate();
    kafka.closes = closing.opened;
    const begun = { position: 0, asked: 'beginning', atMs: 0 };
    await journal.sinkBook.set('kafka', { type: 'file', paused: true, joined: true, start: begun });
    const sinks = [configOf('kafka')];
    const receiptAfter = isRequired ? ['kafka'] : [];
    const more = { sinks, receiptAfter, clock: systemClock, untilTrimmed: () => retention.untilIdle() };
    const { set, start, change, caughtUp, end } = setOf(journal, { kafka, kafka2 }, more);
    const retention = retentionOf(journal, () => set);
    await start();
    const changing = change([configOf('kafka2')], isRequired ? ['kafka2'] : 'journal');
    await until('the former one leaves', () => set.all[0]?.state === 'stopped');
    await retention.trim();
    closing.open();
    await changing;
    await retention.trim();
    await caughtUp();
    await end();
    const lost = givenUp(journal, 'kafka2');
    assert.deepEqual([...lost, ...kafka2.seqs], numbers(1, blocks), 'each is stored or counted, once');
    assert.equal(lost.length > 0, !isRequired, `${lost.length} lost`);
  }
});

test('what a full journal gives up while a sink finds its place is counted, once', limit, async t => {
  for (const [begins, diskIsFull] of [
    ['before it comes', true],
    ['while it looks', true],
    ['while it looks', false],
  ] as const) {
    const { journal } = await journalOf(t);
    await using _ = journal;
    await journal.remove([[1, 10]]);
    const server = new FakeServer();
    const more = { sinks: [], clock: systemClock, untilTrimmed: () => retention.untilIdle() };
    const { set, start, change, caughtUp, end } = setOf(journal, { server }, more);
    const retention = retentionOf(
      journal,
      () => set,
      () => diskIsFull,
    );
    await start();
    let trimming = Promise.resolve();
    const listed = gate();
    const [list, remove] = [journal.list.bind(journal), journal.remove.bind(journal)];
    const soon = () => systemClock.sleep(100, never);
    journal.list = async (...args) => {
      const page = await list(...args);
      if (begins === 'while it looks') trimming = retention.trim();
      listed.open();
      await Promise.race([trimming, soon()]);
      return page;
    };
    journal.remove = async (...args) => {
      if (begins === 'before it comes') await Promise.race([listed.opened, soon()]);
      return remove(...args);
    };
    if (begins === 'before it comes') trimming = retention.trim();
    await change([configOf('server')]);
    await trimming;
    await caughtUp();
    await end();
    const lost = givenUp(journal, 'server');
    assert.deepEqual(
      [...lost, ...server.seqs],
      numbers(1, blocks),
      `trimmed ${begins}: ${lost.length} counted, ${server.seqs.length} stored`,
    );
    // A full disk is given back only what nobody waits for.
    assert.equal(lost.length > 10, begins === 'before it comes' || !diskIsFull, `${lost.length} given up`);
  }
});

test('a sink that begins now is not counted as losing what it never asked for', limit, async t => {
  const { journal, gateway } = await journalOf(t);
  await using _ = journal;
  const server = new FakeServer();
  const more = { sinks: [], clock: systemClock, untilTrimmed: () => retention.untilIdle() };
  const { set, start, change, caughtUp, end } = setOf(journal, { server }, more);
  const retention = retentionOf(journal, () => set);
  await start();
  const changing = change([configOf('server', { startAt: 'now' })]);
  await retention.trim();
  await changing;
  await retention.trim();
  await journal.append(gateway.incoming(1));
  await caughtUp();
  await end();
  assert.deepEqual([server.seqs, journal.losses.all().size], [[blocks + 1], 0]);
});

test('no block is released before the sink that comes into receiptAfter has stored it', limit, async t => {
  for (const isRetyped of [false, true]) {
    await using journal = await openJournal(await folderFor(t));
    const [former, next] = [new FakeServer(), new FakeServer()];
    const name = isRetyped ? 'first' : 'second';
    const servers = isRetyped ? { first: former, 'first/other': next } : { first: former, second: next };
    const closing = gate();
    former.closes = closing.opened;
    next.isDown = true;
    const released: number[] = [];
    const more = { sinks: [configOf('first')], receiptAfter: ['first'], clock: systemClock };
    const { set, start, change, end } = setOf(journal, servers, more);
    const releases = new Releases({
      journal,
      required: () => set.required,
      send: async (_, receipts) => {
        for (const { from, through } of receipts) released.push(...numbers(from, through));
      },
      clock: systemClock,
      log: silentLogger,
    });
    await start();
    await releases.open();
    if (isRetyped) await until('the former one is open', () => set.all[0]!.isOpen);
    former.isDown = true;
    releases.journaled(await journal.append(new TestGateway().incoming(5)));
    const changing = change([isRetyped ? typed(configOf('first')) : configOf('second')], [name]);
    await until('the former one leaves', () => set.all.every(({ state }) => state === 'stopped'));
    await releases.advance();
    assert.deepEqual(released, [], 'while one leaves and one comes');
    closing.open();
    await changing;
    await releases.advance();
    assert.deepEqual(released, [], 'the new one has nothing yet');
    next.isDown = false;
    await until('it has stored them', () => set.all[0]!.position === 5);
    await releases.advance();
    assert.deepEqual(
      [released, next.seqs],
      [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5],
      ],
    );
    await end();
  }
});

test('a disk that takes nothing more does not keep sinks from their change', limit, async t => {
  const folder = await folderFor(t);
  const [goes, stays] = [new FakeServer(), new FakeServer()];
  const gateway = new TestGateway();
  const changed = configOf('stays', { maxBytes: 2048 });
  {
    await using journal = await openJournal(folder);
    const { set, start, change, caughtUp, end } = setOf(journal, { goes, stays }, { own: false });
    await start();
    await journal.append(gateway.incoming(2));
    await caughtUp();
    await journal.write([journal.losses.add('goes', [1, 1], { blocks: 1, rows: 4 }, 1)], true);
    const forget = journal.sinkBook.forget;
    journal.sinkBook.forget = () => Promise.reject(new Error('no space left on device'));
    assert.deepEqual((await change([changed])).removed, ['goes']);
    assert.deepEqual([set.all.map(({ config }) => config), goes.closed, stays.closed], [[changed], 1, 1]);
    assert.equal(journal.losses.all().get('goes')?.rows, 4, 'what could not be forgotten is not');
    await journal.append(gateway.incoming(1));
    await caughtUp();
    assert.deepEqual(stays.seqs, [1, 2, 3]);
    // The one that left comes back: it must not go on where nobody has kept anything for it.
    await assert.rejects(change([changed, configOf('goes')]), /no space left/);
    assert.deepEqual([set.all.map(({ name }) => name), goes.closed], [['stays'], 2]);
    journal.sinkBook.forget = forget;
    await change([changed, configOf('goes', { startAt: 'now' })]);
    assert.equal(journal.losses.all().size, 0);
    await journal.append(gateway.incoming(1));
    await caughtUp();
    assert.deepEqual(goes.seqs, [1, 2, 4]);
    journal.sinkBook.forget = () => Promise.reject(new Error('no space left on device'));
    await change([changed]);
    await end();
  }
  await using journal = await openJournal(folder);
  const { start, end } = setOf(journal, { stays }, { own: false, sinks: [changed] });
  await start();
  assert.match(told(journal).at(-1) ?? '', /Sink goes is no longer configured/);
  assert.deepEqual(journal.sinkBook.names(), ['stays']);
  await end();
});

test('a sink of another type gets all, although its former one could not be forgotten', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const [former, next] = [new FakeServer(), new FakeServer()];
  const servers = { lake: former, 'lake/other': next };
  const gateway = new TestGateway();
  const { set, start, change, caughtUp, end } = setOf(journal, servers, {
    own: false,
    sinks: [configOf('lake')],
  });
  await start();
  await journal.append(gateway.incoming(3));
  await caughtUp();
  const forget = journal.sinkBook.forget.bind(journal.sinkBook);
  let failures = 3;
  journal.sinkBook.forget = (...args) => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('no space left on device')) : forget(...args);
  };
  await change([typed(configOf('lake'))]);
  await until('it is open', () => set.all[0]!.isOpen);
  await caughtUp();
  await end();
  assert.ok(failures < 0);
  assert.deepEqual(
    [former.seqs, next.seqs],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
});
