import assert from 'node:assert/strict';
import { cp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Delivery } from '@edgeward/shared/contracts';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { describe } from '@edgeward/shared/wire';
import type { Journal } from './journal.js';
import { memoryOf, Tail } from './tail.js';
import { epochOf, folderFor, openJournal, TestGateway } from './testing/blocks.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };
const never = new AbortController().signal;

async function crashCopy(t: TestContext, from: string): Promise<string> {
  const copy = await folderFor(t);
  await cp(from, copy, { recursive: true, filter: source => path.basename(source) !== 'LOCK' });
  return copy;
}

function ids(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(
    ({ position, gateway, epoch, seq }) => `${position} ${gateway}/${parseInt(epoch, 10)}/${seq}`,
  );
}

async function idsIn(journal: Journal, after = 0): Promise<string[]> {
  return ids((await journal.read(after, all)).deliveries);
}

test('stores each block once: in one call, over calls, after a crash and after a clean end', async t => {
  const folder = await folderFor(t);
  const journal = await openJournal(folder);
  const [a, b, c] = new TestGateway().incoming(3);
  assert.deepEqual(ids(await journal.append([a!, b!, a!])), ['1 gw-1/1/1', '2 gw-1/1/2']);
  assert.deepEqual(ids(await journal.append([b!, a!])), []);
  const crashed = await openJournal(await crashCopy(t, folder));
  await journal[Symbol.asyncDispose]();
  for (const again of [crashed, await openJournal(folder)]) {
    assert.equal(again.id, journal.id);
    assert.deepEqual(ids(await again.append([b!, c!, a!])), ['3 gw-1/1/3']);
    assert.deepEqual(await idsIn(again), ['1 gw-1/1/1', '2 gw-1/1/2', '3 gw-1/1/3']);
    await again[Symbol.asyncDispose]();
  }
});

test('what was received survives a crash, whatever was written of it by then, rejected blocks too', async t => {
  const folder = await folderFor(t);
  const [gateway, other] = [new TestGateway(), new TestGateway('gw-2')];
  const journal = await openJournal(folder);
  const [a, bad, c] = gateway.incoming(3);
  const described = describe(testSchema);
  await journal.append([a!, ...other.incoming(2)]);
  await journal.remove([[2, 2]]); // of which nothing tells any more then
  await journal.append([c!], { poison: [{ ...bad!, described }] });
  await journal.append(gateway.incoming(2, { voids: [[6, 9]] }));
  const crashed = await openJournal(await crashCopy(t, folder));
  for (const one of [journal, crashed]) {
    const received = one.received.get('gw-1', epochOf(1));
    assert.equal(JSON.stringify(received?.seqs), '[[1,9]]');
    assert.deepEqual(
      [received?.rejected.get('probe-1')?.count, received?.rows.get('probe-1')?.count],
      [2, 8],
    );
    assert.equal(received?.outbox, 'outbox-1');
    assert.equal(one.received.get('gw-2', epochOf(1))?.rows.get('probe-2')?.count, 4);
    assert.deepEqual(await one.append([bad!, ...gateway.incoming(1)]), [] as unknown, 'seq 6 is void');
    assert.deepEqual(one.damage, []);
    await one[Symbol.asyncDispose]();
  }
});

test('the same seq of another gateway or of another start is another block', async t => {
  await using journal = await openJournal(await folderFor(t));
  const senders = [new TestGateway('gw-1', 1), new TestGateway('gw-1', 2), new TestGateway('gw-2', 1)];
  await journal.append(senders.flatMap(sender => sender.incoming(1)));
  assert.deepEqual(await idsIn(journal), ['1 gw-1/1/1', '2 gw-1/2/1', '3 gw-2/1/1']);
  assert.deepEqual([...journal.received.gateways()], ['gw-1', 'gw-2']);
  assert.equal(journal.received.get('gw-1', epochOf(2))?.rows.get('probe-2')?.count, 2);
});

test('what is read from memory and from disk is the same, in pieces of any size', async t => {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  const first = await openJournal(folder);
  await first.append(
    gateway.incoming(7).map((block, i) => ({ ...block, late: i % 2 === 1, ingestedMs: i + 0.5 })),
  );
  const told = ({ gateway, epoch, seq, position, ingestedMs, late, batch }: Delivery) => ({
    gateway,
    epoch,
    seq,
    position,
    ingestedMs,
    late,
    batch,
  });
  const fromMemory = (await first.read(2, all)).deliveries.map(told);
  await first[Symbol.asyncDispose]();
  await using journal = await openJournal(folder);
  assert.deepEqual((await journal.read(2, all)).deliveries.map(told), fromMemory);
  await journal.append(gateway.incoming(3)); // these are in memory, the others are not
  for (const limits of [all, { maxDeliveries: 2, maxBytes: 1e9 }, { maxDeliveries: 1e6, maxBytes: 1 }]) {
    const seen: number[] = [];
    for (let at = 0; at < journal.position; ) {
      const { deliveries, through } = await journal.read(at, limits);
      assert.ok(through > at);
      seen.push(...deliveries.map(({ seq }) => seq));
      at = through;
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  assert.deepEqual(await journal.read(10, all), { deliveries: [], through: 10 });
});

test('a block that the disk altered is left out, and the reading goes on behind it', async t => {
  const folder = await folderFor(t);
  const first = await openJournal(folder);
  const blocks = new TestGateway().incoming(3);
  await first.append(
    blocks.map((block, i) => (i === 1 ? { ...block, bytes: block.bytes.map(b => b ^ 1) } : block)),
  );
  await first[Symbol.asyncDispose]();
  await using journal = await openJournal(folder);
  const { deliveries, through } = await journal.read(0, all);
  assert.deepEqual([ids(deliveries), through], [['1 gw-1/1/1', '3 gw-1/1/3'], 3]);
});

test('positions that were given up are not used again, even when no block comes before the next start', async t => {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  {
    await using journal = await openJournal(folder);
    await journal.append(gateway.incoming(2));
    await journal.skipTo(1);
    assert.deepEqual(journal.damage, []);
    await journal.skipTo(7);
    assert.match(journal.damage.join(), /3 to 7/);
  }
  await using journal = await openJournal(folder);
  await journal.append(gateway.incoming(1));
  assert.deepEqual(await idsIn(journal), ['1 gw-1/1/1', '2 gw-1/1/2', '8 gw-1/1/3']);
  assert.deepEqual(await idsIn(journal, 5), ['8 gw-1/1/3']);
});

test('a repair is told, with where the damaged files are', async t => {
  const folder = await folderFor(t);
  const first = await openJournal(folder);
  await first.append(new TestGateway().incoming(2));
  await first[Symbol.asyncDispose]();
  await rm(path.join(folder, 'journal', 'CURRENT'));
  await using journal = await openJournal(folder);
  const aside = (await readdir(folder)).find(name => name.startsWith('journal.damaged-'));
  assert.ok(aside);
  assert.ok(journal.damage.some(text => text.includes(aside)));
  assert.ok(journal.events().some(({ kind, text }) => kind === 'damage' && text.includes(aside)));
});

test('whoever waits for more is woken by it, or by stop', async t => {
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  const woken = journal.wait(1, never);
  await journal.append(gateway.incoming(1));
  let early = true;
  void woken.then(() => assert.equal(early, false));
  await new Promise(setImmediate);
  early = false;
  await journal.append(gateway.incoming(1));
  await woken;
  const stop = new AbortController();
  const stopped = journal.wait(2, stop.signal);
  stop.abort();
  await stopped;
});

test('keeps cursors, the last report of each gateway, and the newest events', async t => {
  const folder = await folderFor(t);
  const first = await openJournal(folder);
  await first.setCursor('sink', 0);
  const event = { gateway: 'gw-1', epoch: epochOf(1), kind: 'gap' as const, text: '', details: {} };
  for (let atMs = 1; atMs <= 1003; atMs++) await first.addEvent({ ...event, atMs });
  await first[Symbol.asyncDispose]();
  await using journal = await openJournal(folder);
  assert.equal(journal.cursor('sink'), 0);
  assert.equal(journal.cursor('other'), undefined);
  await journal.addEvent({ ...event, atMs: 1004 });
  assert.deepEqual(
    journal.events().map(({ atMs }) => atMs),
    Array.from({ length: 1000 }, (_, i) => i + 5),
  );
});

test('the tail keeps the newest within its bytes and never has a hole', () => {
  const batch = new TestBatches().next(1);
  const tail = new Tail({ maxBytes: 11 * memoryOf({ batch } as Delivery), maxAgeMs: 1000 });
  const delivery = (position: number) => ({ position, ingestedMs: 0, batch }) as Delivery;
  assert.equal(tail.after(0, 10), undefined);
  for (let position = 1; position <= 100; position++) {
    tail.add(delivery(position));
    const oldest = [...Array(position).keys()].find(after => tail.after(after, 1e6) !== undefined)!;
    const kept = tail.after(oldest, 1e6)!.map(({ position }) => position);
    assert.deepEqual(
      kept,
      Array.from({ length: position - oldest }, (_, i) => oldest + 1 + i),
    );
    assert.equal(kept.length, Math.min(position, 11));
  }
  assert.equal(tail.after(99, 1)?.[0]?.position, 100);
});

test('the tail keeps nothing that is too old, but the newest', () => {
  const tail = new Tail({ maxBytes: 1e9, maxAgeMs: 1000 });
  const add = (position: number, ingestedMs: number) =>
    tail.add({ position, ingestedMs, batch: new TestBatches().next(1) } as Delivery);
  for (let position = 1; position <= 200; position++) add(position, 10 * position);
  assert.equal(tail.after(98, 10), undefined);
  assert.equal(tail.after(99, 1000)?.length, 101);
  add(201, 1e6);
  assert.deepEqual(
    tail.after(200, 10)?.map(({ position }) => position),
    [201],
  );
  assert.equal(tail.after(199, 10), undefined);
});
