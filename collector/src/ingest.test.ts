import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Receipt } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { parseReceipts } from '@edgeward/shared/receipts';
import { testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { RecordingTracer, sampleTrace } from '@edgeward/shared/testing/recording-tracer';
import type { TopicKind } from '@edgeward/shared/topics';
import { spanIdOf } from '@edgeward/shared/trace/context';
import { describe, describedToJson } from '@edgeward/shared/wire';
import { Gateways } from './gateways.js';
import { Identities } from './identity.js';
import { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import { epochOf, folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { Releases } from './releases.js';
import { afterIngest, IngestSpans } from './trace/ingest-spans.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };

interface More {
  readonly maxQueueBytes?: number;
  readonly clock?: FakeClock;
  readonly required?: readonly { position: number }[];
  readonly folder?: string;
  readonly blocked?: () => string | null;
  readonly tracer?: RecordingTracer;
}

/** A running ingest over a real journal that knows outbox-1 of gw-1, and what it sends. */
async function start(t: TestContext, more: More = {}) {
  const { tracer } = more;
  const nextTrace = tracer && afterIngest;
  const journal = await openJournal(more.folder ?? (await folderFor(t)), { nextTrace });
  journal.learn([describe(testSchema)]);
  const { clock = new FakeClock({ autoAdvance: true }), maxQueueBytes = 1e6, required = [] } = more;
  const [receipts, sent] = [[] as (Receipt & { topic: string })[], new Gate()];
  const told: { topic: string; message: Record<string, unknown> }[] = [];
  const identities = new Identities(300_000);
  identities.judge('gw-1', { outbox: 'outbox-1', epoch: epochOf(1) }, 0);
  const gateways = new Gateways(clock);
  const send = (gateway: string, list: readonly Receipt[]) => ingest.sendReceipts(gateway, list);
  const releases = new Releases({ journal, required: () => required, send, clock, log: silentLogger });
  await releases.open();
  const ingest: Ingest = new Ingest({
    journal,
    gateways,
    identities,
    releases,
    publish: async (topic, payload) => {
      const list = parseReceipts(Buffer.from(payload));
      for (const receipt of list ?? []) receipts.push({ ...receipt, topic });
      if (!list) told.push({ topic, message: JSON.parse(payload) });
      sent.open();
    },
    ...(more.blocked && { blocked: more.blocked }),
    spans: tracer && new IngestSpans(tracer, clock),
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
  const ask = { ingest, journal, receipts, told, offer, until, seqs, stop, running, releases, gateways };
  return { ...ask, [Symbol.asyncDispose]: end };
}

function reportOf(start: number, atMs: number) {
  return {
    gateway: 'gw-1',
    epoch: epochOf(start),
    atMs,
    version: '1',
    devices: [],
    outbox: { id: 'outbox-1', blocks: 0, bytes: 0, maxBytes: 1, oldestMs: null, durability: 'deferred' },
    condensedThrough: 0,
    process: { pid: 1, rssBytes: 1, cpuSeconds: 0 },
    models: {},
  };
}

const spans = (receipts: readonly Receipt[]) =>
  receipts.map(({ from, through, mark }) => [from, through, mark]);

/** The next commits wait at the gate that is handed back. */
function holdOpen(journal: Journal): { opened: Gate; began: () => boolean } {
  const [append, opened] = [journal.append.bind(journal), new Gate()];
  let began = false;
  journal.append = async (blocks, along) => {
    began = true;
    await opened.wait();
    return append(blocks, along);
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
  const good = new TestGateway().bytes();
  const bad = good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte));
  for (const bytes of [bad, bad, new Uint8Array(0), good]) offer(bytes);
  await until(() => receipts.length > 0);
  assert.deepEqual(await seqs(), [1]);
  assert.equal(receipts.length, 1);
  assert.deepEqual(
    journal.deadLetters.list(10).map(({ gateway, bytes, rejected }) => [gateway, bytes, rejected]),
    [
      ['gw-1', 0, false],
      ['gw-1', bad.length, false],
    ],
  );
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
  const waits = (ingest.room(ending.signal) ?? assert.fail('it has room')).then(() => {
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
  const waits = (ingest.room(new AbortController().signal) ?? assert.fail('it has room')).then(() => {
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
  journal.append = async (blocks, along) => {
    if (failures-- > 0) throw new Error('no space left on device');
    return append(blocks, along);
  };
  const recover = journal.recover.bind(journal);
  journal.recover = () => {
    recovered += 1;
    assert.equal(receipts.length, 0);
    assert.match(ingest.failure ?? '', /no space left/);
    return recover();
  };
  const gateway = new TestGateway();
  for (let i = 0; i < 4; i++) offer(gateway.bytes());
  await until(() => receipts.reduce((sum, { from, through }) => sum + through - from + 1, 0) === 4);
  assert.deepEqual(await seqs(), [1, 2, 3, 4]);
  assert.deepEqual([recovered, ingest.failure], [3, null]);
});

test('ends at stop even with a journal that never writes again, and after what was queued otherwise', async t => {
  await using broken = await start(t, { clock: new FakeClock() });
  broken.journal.append = () => Promise.reject(new Error('no space left on device'));
  broken.offer(new TestGateway().bytes());
  await broken.until(() => broken.ingest.failure !== null);
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

/** Until the end of it, a decoder that knows too little: no column of a second device makes sense to it. */
function shortSighted(journal: Journal): () => void {
  const described = journal.described.bind(journal);
  journal.described = () => describe({ ...testSchema, devices: ['probe-1'] });
  return () => {
    journal.described = described;
  };
}

test('a block whose columns are bad is rejected once: receipted, kept, counted; and stored once it is understood', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts, seqs, ingest } = started;
  const gateway = new TestGateway();
  const update = shortSighted(journal);
  const bad = gateway.bytes();
  offer(bad);
  offer(bad);
  await until(() => receipts.length > 0);
  assert.deepEqual(spans(receipts), [[1, 1, 'released']], 'it would come again for ever');
  const [letter] = journal.deadLetters.list(10);
  assert.ok(letter?.rejected);
  const rejected = () => journal.received.get('gw-1', epochOf(1))?.rejected.get('probe-1')?.count;
  assert.equal(rejected(), 2);
  assert.match((await ingest.replay(letter.id)) ?? '', /refused because/);
  assert.equal(journal.deadLetters.count, 1, 'it stays until it is understood');

  update();
  offer(bad);
  offer(gateway.bytes());
  await until(() => receipts.length > 1);
  assert.deepEqual(await seqs(), [2], 'sent again it is a double');
  assert.deepEqual(await Promise.all([ingest.replay(letter.id), ingest.replay(letter.id)]), [
    undefined,
    undefined,
  ]);
  assert.deepEqual(await seqs(), [2, 1]);
  assert.equal(rejected(), 0);
  assert.equal(journal.received.get('gw-1', epochOf(1))?.rows.get('probe-1')?.count, 4);
  assert.equal(journal.deadLetters.count, 0);
  assert.match((await ingest.replay(letter.id)) ?? '', /no such/);
});

function stateOf(start: number, outbox = 'outbox-1', online = true, more: object = {}) {
  const schemas = [describedToJson(describe(testSchema))];
  return Buffer.from(
    JSON.stringify({ online, epoch: epochOf(start), outbox, link: 1, version: '1', schemas, ...more }),
  );
}

test('who comes is told the time, the journal, and all receipts there are', async t => {
  await using started = await start(t, { required: [{ position: 0 }] });
  const { journal, offer, until, receipts, told } = started;
  const gateway = new TestGateway();
  for (let i = 0; i < 3; i++) offer(gateway.bytes());
  await until(() => receipts.length > 0);
  assert.deepEqual(spans(receipts.splice(0)), [[1, 3, 'journaled']], 'a named sink has not stored them');
  offer(stateOf(1), 'state');
  await until(() => receipts.length > 0);
  assert.deepEqual(spans(receipts), [[1, 3, 'journaled']], 'told again');
  const [hello] = told;
  assert.equal(hello?.topic, 'edgeward/v1/gw-1/desired');
  assert.equal(hello.message.journal, journal.id);
  assert.equal(typeof hello.message.timeMs, 'number');
});

test('the site that a gateway has when a block comes is stored with it', async t => {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  const sites = async (journal: Journal) =>
    (await journal.read(0, all)).deliveries.map(({ site }) => site ?? null);
  {
    await using started = await start(t, { folder });
    const { offer, until, journal } = started;
    offer(gateway.bytes());
    for (const site of ['north', 'south-2', undefined]) {
      offer(stateOf(1, 'outbox-1', true, { site }), 'state');
      offer(gateway.bytes());
    }
    await until(() => journal.position === 4);
    assert.deepEqual(await sites(journal), [null, 'north', 'south-2', null]);
  }
  await using reopened = await start(t, { folder });
  assert.deepEqual(await sites(reopened.journal), [null, 'north', 'south-2', null], 'from the disk');
  reopened.offer(Buffer.from(JSON.stringify({ ...reportOf(1, 1), site: 'reported' })), 'reported');
  await reopened.until(() => reopened.gateways.get('gw-1')?.report !== undefined);
  reopened.offer(gateway.bytes());
  await reopened.until(() => reopened.journal.position === 5);
  assert.equal((await sites(reopened.journal))[4], 'reported', 'of one that has not introduced itself again');
});

test('blocks of who has not said who it is are asked about once a second; of a copy they are refused, and that is told', async t => {
  const clock = new FakeClock();
  await using started = await start(t, { clock });
  const { journal, offer, until, receipts, seqs, told, ingest } = started;
  const later = new TestGateway('gw-1', 2);
  for (let i = 0; i < 3; i++) offer(later.bytes());
  await until(() => told.length > 0);
  offer(new TestGateway().bytes());
  await until(() => receipts.length > 0);
  assert.deepEqual(
    told.map(({ message }) => message),
    [{ ask: 'state' }],
    'of a start that nobody announced',
  );
  assert.deepEqual(await seqs(), [1]);
  offer(stateOf(2, 'stranger'), 'state');
  await until(() => told.length > 1);
  assert.match(String(told[1]?.message.refused), /stranger/);
  const copy = new TestGateway('gw-1', 1, 'bb').bytes();
  offer(copy);
  await until(() => ingest.counts.refused === 2);
  offer(stateOf(2), 'state');
  offer(later.bytes());
  await until(() => receipts.some(({ epoch }) => epoch === epochOf(2)));
  assert.deepEqual(await seqs(), [1, 4], 'its own next start is welcome');
  assert.equal(journal.events().filter(({ kind }) => kind === 'identity').length, 1, 'once a minute');
});

test('a gap that an agent knows only roughly is told with the newest row that it sent before', async t => {
  await using started = await start(t);
  const { journal, offer, until, receipts } = started;
  offer(new TestGateway().bytes());
  await until(() => receipts.length > 0);
  const gap = { gateway: 'gw-1', epoch: epochOf(2), atMs: 1, kind: 'gap', text: 'Killed.' };
  for (const details of [
    { fromMs: 0, toMs: 8e15 },
    { fromMs: 7e15, toMs: 8e15 },
  ])
    offer(Buffer.from(JSON.stringify({ ...gap, details })), 'events');
  await until(() => journal.events().length === 2);
  const [rough, later] = [...journal.events()].sort(
    (a, b) => Number(a.details.fromMs) - Number(b.details.fromMs),
  );
  const { newestRowMs } = rough!.details;
  assert.equal(typeof newestRowMs, 'number');
  const time = new Date(Number(newestRowMs)).toISOString();
  assert.equal(rough!.text, `Killed. The newest row received from it by then is of ${time}.`);
  assert.equal(later!.text, 'Killed.', 'what it sent was before');
});

test('while a sink that receipts wait for fills the journal, nothing is taken, and then all of it', async t => {
  let blocked: string | null = 'full of what kafka lacks';
  await using started = await start(t, { blocked: () => blocked });
  const { offer, until, receipts, seqs, ingest } = started;
  offer(new TestGateway().bytes());
  await until(() => ingest.failure !== null);
  assert.match(ingest.failure ?? '', /kafka/);
  assert.deepEqual([receipts, await seqs()], [[], []]);
  blocked = null;
  await until(() => receipts.length > 0);
  assert.deepEqual([await seqs(), ingest.failure], [[1], null]);
});

test('the last report of a former start, held up on its way, does not undo that of the present one', async t => {
  await using started = await start(t);
  const { journal, offer, until, gateways, stop, running } = started;
  const say = (start: number, atMs: number) =>
    offer(Buffer.from(JSON.stringify(reportOf(start, atMs))), 'reported');
  say(2, 10);
  say(1, 20);
  say(2, 30);
  await until(() => journal.reports()[0]?.atMs === 30);
  say(1, 40);
  stop.abort();
  await running;
  assert.deepEqual(
    journal.reports().map(({ epoch, atMs }) => [epoch, atMs]),
    [[epochOf(2), 30]],
  );
  assert.equal(gateways.get('gw-1')?.report?.atMs, 30);
});

test('what could not be stored at a stop leaves nothing behind it to be stored: the order stays', async t => {
  await using started = await start(t);
  const { journal, offer, until, seqs, stop, running } = started;
  const append = journal.append.bind(journal);
  const opened = new Gate();
  let tries = 0;
  journal.append = async (blocks, along) => {
    tries += 1;
    if (tries > 1) return append(blocks, along);
    await opened.wait();
    throw new Error('injected');
  };
  const gateway = new TestGateway();
  offer(gateway.bytes());
  await until(() => tries === 1);
  offer(gateway.bytes());
  stop.abort();
  opened.open();
  await running;
  assert.deepEqual(await seqs(), []);
});

test('a traced block has one span from its arrival to its commit, and its deliveries hang on it, also from the disk', async t => {
  const [tracer, folder] = [new RecordingTracer(), await folderFor(t)];
  const expected = { traceId: sampleTrace.traceId, spanId: spanIdOf(sampleTrace.traceId, 'ingest') };
  {
    await using started = await start(t, { tracer, folder });
    const { journal, offer, until, receipts } = started;
    const gateway = new TestGateway();
    const traced = gateway.bytes(2, { trace: sampleTrace });
    for (const bytes of [traced, traced, gateway.bytes()]) offer(bytes);
    await until(() => receipts.length > 0);
    offer(traced);
    await until(() => receipts.length > 1);
    const [span, ...more] = tracer.spans;
    assert.ok(span);
    assert.deepEqual(more, [], 'doubled blocks have none of their own');
    assert.deepEqual([span.name, span.context, span.parent], ['ingest', expected, sampleTrace.spanId]);
    assert.equal(span.attributes?.['edgeward.gateway'], 'gw-1');
    const { deliveries } = await journal.read(0, all);
    assert.deepEqual(
      deliveries.map(({ trace }) => trace),
      [expected, undefined],
    );
  }
  for (const [nextTrace, trace] of [
    [afterIngest, expected],
    [undefined, sampleTrace],
  ] as const) {
    await using journal = await openJournal(folder, { nextTrace });
    const { deliveries } = await journal.read(0, all);
    assert.deepEqual(deliveries[0]?.trace, trace);
  }
});

test('gateways are told that traces are taken only where they are', async t => {
  for (const tracer of [undefined, new RecordingTracer()]) {
    await using started = await start(t, tracer && { tracer });
    const state = { online: true, epoch: epochOf(1), outbox: 'outbox-1', link: 1, version: '1', schemas: [] };
    started.offer(Buffer.from(JSON.stringify(state)), 'state');
    await started.until(() => started.told.length > 0);
    assert.equal(started.told[0]?.message.wire, tracer && 2);
  }
});

test('a block of a version of later is kept whole and gets no receipt: its sender must not forget it', async t => {
  await using started = await start(t);
  const { journal, offer, receipts, until } = started;
  const gateway = new TestGateway();
  const later = Uint8Array.from(gateway.bytes());
  later[0] = 3;
  offer(later);
  offer(gateway.bytes());
  await until(() => receipts.length > 0);
  assert.deepEqual(spans(receipts), [[2, 2, 'released']]);
  const [letter, ...more] = journal.deadLetters.list(10);
  assert.equal(more.length, 0);
  assert.match(letter?.reason ?? '', /Version 3; this release reads 1 and 2/);
  assert.deepEqual(await journal.deadLetters.bytesOf(letter!.id), Buffer.from(later));
});

test('a traced block that an earlier release kept as a dead letter is stored, with its trace, once it is tried again', async t => {
  const tracer = new RecordingTracer();
  await using started = await start(t, { tracer });
  const { journal, ingest } = started;
  const bytes = new TestGateway().bytes(2, { trace: sampleTrace });
  const facts = { gateway: 'gw-1', reason: 'Version 2; this release reads 1.', atMs: 1, rejected: false };
  await journal.write(journal.deadLetters.keep(bytes, facts), true);
  const [letter] = journal.deadLetters.list(10);
  assert.equal(await ingest.replay(letter!.id), undefined);
  assert.equal(journal.deadLetters.count, 0);
  const { deliveries } = await journal.read(0, all);
  assert.deepEqual(
    deliveries.map(({ seq, trace }) => [seq, trace?.traceId]),
    [[1, sampleTrace.traceId]],
  );
  assert.equal(tracer.named('ingest').length, 1);
});
