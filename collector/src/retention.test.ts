/** Who loses what when the journal is full. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Journal } from './journal/journal.js';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { type Follower, Retention } from './retention.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };

interface At extends Follower {
  position: number;
  inHand: number;
}

/** A consumer that stands where the test puts it. */
function at(name: string, position: number, inHand = position): At {
  return {
    name,
    position,
    inHand,
    between(act) {
      return act(this.position, this.inHand);
    },
  };
}

/** A journal with blocks on disk, where they have a size. */
async function journalOf(t: TestContext, blocks: number) {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  {
    await using journal = await openJournal(folder);
    await journal.append(gateway.incoming(blocks));
  }
  const journal = await openJournal(folder);
  return { journal, gateway, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
}

function retention(
  journal: Journal,
  consumers: readonly Follower[],
  more: { required?: string[]; maxBytes?: number; maxAgeMs?: number; clock?: FakeClock } = {},
) {
  const { required = [], maxBytes = 1, maxAgeMs, clock = new FakeClock({ autoAdvance: true }) } = more;
  return new Retention({
    journal,
    consumers: () => consumers,
    required: () => new Set(required),
    maxBytes,
    maxAgeMs,
    clock,
    log: silentLogger,
  });
}

/** A journal with one block a second, the last of them at `nowMs`. */
async function agedJournalOf(t: TestContext, blocks: number, nowMs: number) {
  const journal = await openJournal(await folderFor(t));
  const incoming = new TestGateway().incoming(blocks);
  await journal.append(incoming.map((one, i) => ({ ...one, ingestedMs: nowMs - (blocks - 1 - i) * 1000 })));
  return { journal, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
}

/** LevelDB knows sizes only by its own blocks: so a few of the newest stay. */
function assertNewest(positions: readonly number[], newest: number): void {
  assert.equal(positions.at(-1), newest);
  assert.ok(positions.length < 60 && positions[0]! > newest - 60, `${positions}`);
}

async function positions(journal: Journal): Promise<number[]> {
  return (await journal.read(0, all)).deliveries.map(({ position }) => position);
}

test('within the quota nothing goes; above it what all have passed, never the newest, and no receipt is forgotten', async t => {
  await using opened = await journalOf(t, 1500);
  const { journal, gateway } = opened;
  await retention(journal, [at('a', 1500)], { maxBytes: 1e9 }).trim();
  assert.equal((await positions(journal)).length, 1500);
  await retention(journal, [at('a', 1500), at('b', 1100)]).trim();
  assert.deepEqual([...journal.losses.all().keys()], ['b'], 'b lags');
  assertNewest(await positions(journal), 1500);
  assert.deepEqual(journal.damage, []);
  const again = new TestGateway().incoming(1500);
  assert.deepEqual(await journal.append(again), []);
  assert.deepEqual(
    (await journal.append(gateway.incoming(1))).map(({ position }) => position),
    [1501],
  );
});

test('what everybody has stored goes before a lagging sink loses anything', async t => {
  await using opened = await journalOf(t, 2000);
  const { journal } = opened;
  const maxBytes = (await journal.bytes()) * 0.9;
  const trimming = retention(journal, [at('a', 2000), at('b', 1700)], { maxBytes });
  await trimming.trim();
  assert.equal(trimming.blocked, null);
  const [first] = await positions(journal);
  assert.ok(first !== undefined && first > 100 && first <= 701, `${first}`);
  assert.equal(journal.losses.all().size, 0);
});

test('a lagging sink loses its oldest blocks, counted, and keeps what it has in hand; it is told and survives a restart', async t => {
  const folder = await folderFor(t);
  let last = 0;
  {
    await using first = await openJournal(folder);
    await first.append(new TestGateway().incoming(100));
  }
  {
    await using journal = await openJournal(folder);
    const [lagging, other] = [at('slow', 10, 20), at('quick', 100)];
    await retention(journal, [lagging, other]).trim();
    const left = await positions(journal);
    assert.deepEqual(left.slice(0, 10), [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    assertNewest(left.slice(10), 100);
    last = left[10]! - 1;
    assert.equal((await journal.read(20, all)).deliveries[0]?.position, last + 1);
    await retention(journal, [lagging, other]).trim();
  }
  await using journal = await openJournal(folder);
  const { blocks, rows, ranges } = journal.losses.all().get('slow')!;
  assert.deepEqual([blocks, rows, ranges], [last - 20, (last - 20) * 4, [[21, last]]], 'counted once');
  assert.deepEqual([...journal.losses.all().keys()], ['slow']);
  assert.deepEqual(journal.damage, [], 'what was removed is not damage');
  assert.equal((await positions(journal))[0], 11);
  const told = journal.events().filter(({ kind }) => kind === 'journal');
  assert.deepEqual(
    told.map(({ details }) => details.rows),
    [rows],
  );
});

test('a sink that receipts wait for loses nothing: intake stops until it has moved', async t => {
  await using opened = await journalOf(t, 300);
  const { journal } = opened;
  const kafka = at('kafka', 50);
  const trimming = retention(journal, [kafka, at('file', 300)], { required: ['kafka'] });
  await trimming.trim();
  assert.match(trimming.blocked ?? '', /kafka/);
  assert.equal((await positions(journal))[0], 51);
  assert.equal(journal.losses.all().size, 0);
  kafka.position = kafka.inHand = 300;
  await trimming.trim();
  assert.equal(trimming.blocked, null);
  assertNewest(await positions(journal), 300);
});

test('blocks go by their age: those all have stored, then, counted, those a sink lags behind with', async t => {
  const clock = new FakeClock();
  await using opened = await agedJournalOf(t, 100, clock.now());
  const { journal } = opened;
  const [quick, slow] = [at('quick', 100), at('slow', 10, 20)];
  const trimming = retention(journal, [quick, slow], { maxBytes: 1e9, maxAgeMs: 60_000, clock });
  await trimming.trim();
  // Block 40 is as old as it may be.
  const kept = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
  assert.deepEqual((await positions(journal)).slice(0, 11), [...kept, 40]);
  const { blocks, rows, ranges } = journal.losses.all().get('slow')!;
  assert.deepEqual([blocks, rows, ranges], [19, 76, [[21, 39]]]);
  const [told] = journal.events().filter(({ kind }) => kind === 'journal');
  assert.match(told?.text ?? '', /lagged until they were too old/);
  assert.equal(trimming.blocked, null);
  slow.position = slow.inHand = 100;
  await clock.advance(30_000);
  await trimming.trim();
  assert.equal((await positions(journal))[0], 70);
  assert.equal(journal.losses.all().get('slow')?.blocks, 19, 'nothing is lost that was stored');
  await clock.advance(3_600_000);
  await trimming.trim();
  assert.deepEqual(await positions(journal), [100], 'the newest stays');
});

test('blocks that came while the clock was not set yet make none before them too old', async t => {
  const clock = new FakeClock();
  await using opened = await agedJournalOf(t, 40, clock.now());
  const { journal } = opened;
  const later = new TestGateway('gw-2').incoming(100);
  // Started anew at the beginning of 1970, until its time was known.
  await journal.append(
    later.map((one, i) => ({ ...one, ingestedMs: i < 60 ? i * 1000 : clock.now() + (i - 60) * 1000 })),
  );
  const more = { maxBytes: 1e9, maxAgeMs: 30_000, clock };
  await retention(journal, [at('quick', 140), at('slow', 0)], more).trim();
  assert.equal((await positions(journal))[0], 10, 'block 10 is as old as it may be');
  assert.deepEqual(journal.losses.all().get('slow')?.ranges, [[1, 9]]);
  assert.equal(await journal.positionBefore(clock.now()), 39);
});

test('what a sink that receipts wait for has yet to store is kept, however old, and intake goes on', async t => {
  const clock = new FakeClock();
  await using opened = await agedJournalOf(t, 100, clock.now());
  const { journal } = opened;
  const kafka = at('kafka', 50);
  const more = { required: ['kafka'], maxBytes: 1e9, maxAgeMs: 10_000, clock };
  const trimming = retention(journal, [kafka, at('slow', 30)], more);
  await trimming.trim();
  assert.equal(trimming.blocked, null, 'there is room');
  assert.equal((await positions(journal))[0], 51);
  assert.deepEqual(
    [...journal.losses.all()].map(([name, { ranges }]) => [name, ranges]),
    [['slow', [[31, 50]]]],
  );
  kafka.position = kafka.inHand = 100;
  await clock.advance(10_000);
  await trimming.trim();
  assert.deepEqual(await positions(journal), [100]);
  assert.equal(journal.losses.all().has('kafka'), false);
});
