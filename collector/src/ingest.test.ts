import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Receipt } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { parseReceipts } from '@edgeward/shared/receipts';
import { testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { TopicKind } from '@edgeward/shared/topics';
import { describe } from '@edgeward/shared/wire';
import { Gateways } from './gateways.js';
import { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import { epochOf, folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };

/** A running ingest over a real journal, and the receipts it sends. */
async function start(t: TestContext, more: { maxQueueBytes?: number; clock?: FakeClock } = {}) {
  const journal = await openJournal(await folderFor(t));
  journal.learn([describe(testSchema)]);
  const { clock = new FakeClock({ autoAdvance: true }), maxQueueBytes = 1e6 } = more;
  const [receipts, sent] = [[] as (Receipt & { topic: string })[], new Gate()];
  const ingest = new Ingest({
    journal,
    gateways: new Gateways(clock),
    publish: async (topic, payload) => {
      for (const receipt of parseReceipts(Buffer.from(payload)) ?? []) receipts.push({ ...receipt, topic });
      sent.open();
    },
    lateAfterMs: 60_000,
    maxQueueBytes,
    clock,
    log: silentLogger,
  });
  const stop = new AbortController();
  const running = ingest.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
    await journal[Symbol.asyncDispose]();
  };
  const offer = (payload: Uint8Array, kind: TopicKind = 'block', gateway = 'gw-1') =>
    ingest.offer({ gateway, kind, payload });
  const until = async (ready: () => boolean) => {
    while (!ready()) await sent.wait(undefined, 20);
  };
  const seqs = async () => (await journal.read(0, all)).deliveries.map(({ seq }) => seq);
  const ask = { ingest, journal, receipts, offer, until, seqs, stop, running };
  return { ...ask, [Symbol.asyncDispose]: end };
}

const spans = (receipts: readonly Receipt[]) =>
  receipts.map(({ from, through, mark }) => [from, through, mark]);

/** The next commits wait at the gate that is handed back. */
function holdOpen(journal: Journal): { opened: Gate; began: () => boolean } {
  const [append, opened] = [journal.append.bind(journal), new Gate()];
  let began = false;
  journal.append = async blocks => {
    began = true;
    await opened.wait();
    return append(blocks);
  };
  return { opened, began: () => began };
}

test('a receipt goes out only once the journal has committed', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts } = started;
  const { opened, began } = holdOpen(journal);
  offer(new TestGateway().bytes());
  await until(began);
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.deepEqual(receipts, []);
  assert.equal(journal.position, 0);
  opened.open();
  await until(() => receipts.length > 0);
  assert.equal(journal.position, 1);
  assert.deepEqual(receipts, [
    { topic: 'edgeward/v1/gw-1/receipt', epoch: epochOf(1), from: 1, through: 1, mark: 'released' },
  ]);
});

test('what arrives during a commit is stored and receipted together; doubles get a receipt and no second place', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts, seqs, ingest } = started;
  const gateway = new TestGateway();
  const blocks = Array.from({ length: 5 }, () => gateway.bytes());
  const { opened, began } = holdOpen(journal);
  offer(blocks[0]!);
  await until(began);
  for (const i of [1, 2, 2, 4]) offer(blocks[i]!);
  const receiptsAre = async (n: number) => {
    while (receipts.length < n) {
      opened.open();
      await new Promise(setImmediate);
    }
  };
  await receiptsAre(3);
  offer(blocks[1]!);
  await receiptsAre(4);
  const [one, two, three, again] = spans(receipts);
  assert.deepEqual(
    [one, two, three],
    [
      [1, 1, 'released'],
      [2, 3, 'released'],
      [5, 5, 'released'],
    ],
  );
  assert.deepEqual(again, [2, 2, 'released']);
  assert.deepEqual(await seqs(), [1, 2, 3, 5]);
  const { blocks: stored, duplicates, rows, deadLetters } = ingest.counts;
  assert.deepEqual([stored, duplicates, rows, deadLetters], [4, 2, 16, 0]);
});

test('bytes that no decoder takes are kept once, get no receipt, and hold nobody up', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts, seqs, ingest } = started;
  const letters: string[] = [];
  const keep = journal.addDeadLetter.bind(journal);
  journal.addDeadLetter = (id, letter) => {
    letters.push(`${letter.gateway} ${id} ${letter.reason.slice(0, 5)}`);
    return keep(id, letter);
  };
  const good = new TestGateway().bytes();
  const bad = good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte));
  for (const bytes of [bad, bad, new Uint8Array(0), good]) offer(bytes);
  await until(() => receipts.length > 0);
  assert.deepEqual(await seqs(), [1]);
  assert.equal(receipts.length, 1);
  assert.equal(letters.length, 3);
  assert.equal(letters[0], letters[1], 'the same bytes have one name');
  assert.equal(new Set(letters).size, 2);
  assert.equal(ingest.counts.deadLetters, 3);
});

test('holds the broker back while its queue is full, and lets go when there is room or an end', async t => {
  await using started = await start(t, { maxQueueBytes: 1000 });
  const { ingest, journal, offer, until } = started;
  const { opened, began } = holdOpen(journal);
  const ending = new AbortController();
  await ingest.room(ending.signal);
  const gateway = new TestGateway();
  for (let i = 0; i < 3; i++) offer(gateway.bytes());
  await until(began);
  let room = false;
  const waits = ingest.room(ending.signal).then(() => {
    room = true;
  });
  await ingest.room(AbortSignal.abort());
  await new Promise(setImmediate);
  assert.equal(room, false);
  while (!room) {
    opened.open();
    await new Promise(setImmediate);
  }
  await waits;
  assert.equal(journal.position, 3);
});

test('messages without a payload fill the queue too, and leave it empty', async t => {
  await using started = await start(t, { maxQueueBytes: 10_000 });
  const { ingest, journal, offer, until } = started;
  const { opened, began } = holdOpen(journal);
  for (let i = 0; i < 50; i++) offer(new Uint8Array(), 'state');
  await until(began);
  let room = false;
  const waits = ingest.room(new AbortController().signal).then(() => {
    room = true;
  });
  await new Promise(setImmediate);
  assert.equal(room, false);
  while (!room) {
    opened.open();
    await new Promise(setImmediate);
  }
  await waits;
});

test('while the journal cannot be written nothing is promised; then all of it is stored once', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts, seqs, ingest } = started;
  const append = journal.append.bind(journal);
  let failures = 3;
  let recovered = 0;
  journal.append = async blocks => {
    if (failures-- > 0) throw new Error('no space left on device');
    return append(blocks);
  };
  const recover = journal.recover.bind(journal);
  journal.recover = () => {
    recovered += 1;
    assert.equal(receipts.length, 0);
    assert.equal(ingest.healthy, false);
    return recover();
  };
  const gateway = new TestGateway();
  for (let i = 0; i < 4; i++) offer(gateway.bytes());
  await until(() => receipts.reduce((sum, { from, through }) => sum + through - from + 1, 0) === 4);
  assert.deepEqual(await seqs(), [1, 2, 3, 4]);
  assert.deepEqual([recovered, ingest.healthy], [3, true]);
});

test('ends at stop even with a journal that never writes again, and after what was queued otherwise', async t => {
  await using broken = await start(t, { clock: new FakeClock() });
  broken.journal.append = () => Promise.reject(new Error('no space left on device'));
  broken.offer(new TestGateway().bytes());
  await broken.until(() => !broken.ingest.healthy);
  broken.stop.abort();
  await broken.running;
  assert.deepEqual(broken.receipts, []);

  await using started = await start(t);
  const { offer, stop, running, receipts } = started;
  const gateway = new TestGateway();
  for (let i = 0; i < 3; i++) offer(gateway.bytes());
  stop.abort();
  await running;
  assert.deepEqual(spans(receipts), [[1, 3, 'released']]);
});
