/** The agent's way to the collector's broker, over real sockets. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PublishSpans } from '@edgeward/agent/trace/publish-spans';
import { type Hello, MqttUplink, type MqttUplinkOptions } from '@edgeward/agent/uplinks/mqtt';
import { Broker, type BrokerOptions } from '@edgeward/collector/broker';
import type { Message } from '@edgeward/collector/ingest';
import { systemClock } from '@edgeward/shared/clock';
import type { AgentEvent, AgentReport, Clock, Entry, Receipt } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { encodeReceipts } from '@edgeward/shared/receipts';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { RecordingTracer, sampleTrace } from '@edgeward/shared/testing/recording-tracer';
import { topicOf } from '@edgeward/shared/topics';
import { describe, describedToJson, encodeBlock, readHeader } from '@edgeward/shared/wire';

const epoch = '000000001-00000000000000aa';
const never = new AbortController().signal;
const limit = { timeout: 20_000 };

/** A broker, and what came through it. */
async function openBroker(options: Partial<BrokerOptions> = {}) {
  const [messages, arrived] = [[] as Message[], new Gate()];
  const broker = await Broker.open({
    host: '127.0.0.1',
    port: 0,
    users: undefined,
    log: silentLogger,
    room: () => undefined,
    onMessage: message => {
      messages.push(message);
      arrived.open();
    },
    ...options,
  });
  const textsOf = (kind: string) =>
    messages.filter(message => message.kind === kind).map(({ payload }) => Buffer.from(payload).toString());
  const until = async (ready: () => boolean) => {
    while (!ready()) await arrived.wait();
  };
  const answer = (from: number, through = from) => {
    const receipts: Receipt[] = [{ epoch, from, through, mark: 'released' }];
    return broker.publish(topicOf('gw-1', 'receipt'), encodeReceipts(receipts));
  };
  /** Whether it is there, whenever that changed; the message also comes when a schema is new. */
  const states = () =>
    textsOf('state')
      .map(text => (JSON.parse(text) as { online: boolean }).online)
      .filter((online, i, all) => i === 0 || online !== all[i - 1]);
  const blocks = () => messages.filter(({ kind }) => kind === 'block').map(({ payload }) => payload);
  return {
    broker,
    blocks,
    textsOf,
    kinds: () => messages.map(({ kind }) => kind),
    until,
    answer,
    states,
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

function uplinkTo({ port }: { port: number }, more: Partial<MqttUplinkOptions> = {}): MqttUplink {
  return new MqttUplink({
    url: `mqtt://127.0.0.1:${port}`,
    gateway: 'gw-1',
    keepAliveS: 30,
    connectTimeoutMs: 5000,
    windowBytes: 1e6,
    clock: systemClock,
    log: silentLogger,
    birth: { epoch, outbox: 'o', version: '0' },
    report: () => ({ gateway: 'gw-1' }) as AgentReport,
    ...more,
  });
}

const described = describe(testSchema);
/** Blocks 1…n, then, unless told to end, nothing for ever. */
async function* blocks(n: number, end = true): AsyncGenerator<Entry, void, void> {
  for (let seq = 1; seq <= n; seq++)
    yield { epoch, seq, lane: 'live', bytes: Buffer.from(`block ${seq}`), described };
  if (!end) await new Promise(() => undefined);
}

async function take(receipts: AsyncIterable<Receipt>): Promise<number[]> {
  const through: number[] = [];
  for await (const receipt of receipts) through.push(receipt.through);
  return through;
}

test(
  'sends what the window allows, waits for every receipt, and says when it comes and goes',
  limit,
  async () => {
    await using at = await openBroker();
    await using uplink = uplinkTo(at.broker, { windowBytes: 1 });
    const exchanged = take(uplink.exchange(blocks(6), never));
    await at.until(() => at.textsOf('block').length === 4);
    await at.answer(1, 2);
    await at.until(() => at.textsOf('block').length === 6);
    await at.answer(3, 6);
    assert.deepEqual(await exchanged, [2, 6]);
    await at.until(() => at.states().length === 2);
    assert.deepEqual(at.states(), [true, false]);
    assert.deepEqual(
      at.textsOf('block'),
      [1, 2, 3, 4, 5, 6].map(seq => `block ${seq}`),
    );
    assert.equal(at.textsOf('reported').length, 2, 'at the beginning and once all is received');
    assert.equal(uplink.connected, false);
  },
);

test(
  'a new link begins with a report, though the one before ended with blocks that waited',
  limit,
  async () => {
    await using at = await openBroker();
    await using uplink = uplinkTo(at.broker, { windowBytes: 1 });
    const deadline = new AbortController();
    const broken = take(uplink.exchange(blocks(6), deadline.signal));
    await at.until(() => at.textsOf('block').length === 4);
    deadline.abort();
    await assert.rejects(broken, { code: 'EW_STOPPED' });
    const exchanged = take(uplink.exchange(blocks(1), never));
    await at.until(() => at.textsOf('block').length === 5);
    assert.equal(at.textsOf('reported').length, 2);
    await at.answer(1);
    await exchanged;
  },
);

test('what is no receipt is ignored, and one for another epoch ends no waiting', limit, async () => {
  await using at = await openBroker();
  await using uplink = uplinkTo(at.broker);
  const exchanged = take(uplink.exchange(blocks(1), never));
  await at.until(() => at.textsOf('block').length === 1);
  const topic = topicOf('gw-1', 'receipt');
  for (const nonsense of ['', '{', '[{"epoch":"x"}]', '[null]']) await at.broker.publish(topic, nonsense);
  const foreign = { epoch: '000000002-00000000000000bb', from: 1, through: 9, mark: 'released' as const };
  await at.broker.publish(topic, encodeReceipts([foreign]));
  await at.answer(1);
  assert.deepEqual(await exchanged, [9, 1]);
});

test('a receipt that is late breaks the link, and the broker tells by the last will', limit, async () => {
  await using at = await openBroker();
  const clock = new FakeClock();
  await using uplink = uplinkTo(at.broker, { clock });
  const receipts = uplink.exchange(blocks(1), never);
  const first = receipts.next();
  await at.until(() => at.textsOf('block').length === 1);
  await clock.advance(3_600_000);
  await at.broker.publish(topicOf('gw-1', 'receipt'), 'wakes it');
  uplink.event(anEvent(0)); // whatever moves makes it look at the time
  await at.answer(99);
  await first;
  await assert.rejects(receipts.next(), { code: 'EW_RECEIPT_LATE' });
  await at.until(() => at.states().length === 2);
  assert.deepEqual(at.states(), [true, false]);
});

test(
  'a broker that goes ends the exchange at once, also while the outbox has nothing to send',
  limit,
  async () => {
    for (const n of [0, 3]) {
      const at = await openBroker();
      await using uplink = uplinkTo(at.broker);
      const exchanged = take(uplink.exchange(blocks(n, false), never));
      await at.until(() => at.states().length === 1 && at.textsOf('block').length === n);
      await at[Symbol.asyncDispose]();
      await assert.rejects(exchanged, { code: 'EW_LINK_LOST', retryable: true });
      await assert.rejects(take(uplink.exchange(blocks(1), never)), { code: 'EW_LINK_LOST' });
    }
  },
);

test('at the deadline it ends, with receipts due or none to come, and is told as gone', limit, async () => {
  await using at = await openBroker();
  await using uplink = uplinkTo(at.broker);
  const deadline = new AbortController();
  const exchanged = take(uplink.exchange(blocks(2, false), deadline.signal));
  await at.until(() => at.textsOf('block').length === 2);
  deadline.abort();
  await assert.rejects(exchanged, { code: 'EW_STOPPED' });
  await at.until(() => at.states().length === 2);
  assert.deepEqual(at.states(), [true, false]);
});

test('a broker that no longer takes anything cannot hold up the end of a link', limit, async () => {
  const room = new AbortController();
  let stalled = false;
  const held = new Promise<void>(resolve => room.signal.addEventListener('abort', () => resolve()));
  await using at = await openBroker({ room: () => (stalled ? held : Promise.resolve()) });
  await using uplink = uplinkTo(at.broker);
  const exchanged = take(uplink.exchange(blocks(1), never));
  await at.until(() => at.textsOf('block').length === 1);
  stalled = true; // the last words, report and state, find no room and are never acknowledged
  await at.answer(1);
  assert.deepEqual(await exchanged, [1]);
  room.abort();
});

test('events wait for a link, the oldest give way when there are too many', limit, async () => {
  await using at = await openBroker();
  await using uplink = uplinkTo(at.broker);
  for (let n = 1; n <= 1005; n++) uplink.event(anEvent(n));
  const leave = new AbortController();
  const exchanged = take(uplink.exchange(blocks(0, false), leave.signal));
  await at.until(() => at.textsOf('events').length === 1000);
  leave.abort();
  await assert.rejects(exchanged, { code: 'EW_STOPPED' });
  const numbers = at.textsOf('events').map(text => (JSON.parse(text) as AgentEvent).atMs);
  assert.deepEqual(
    numbers,
    Array.from({ length: 1000 }, (_, i) => i + 6),
  );
});

test('a wrong password is an error like any other broken link, with no secret in it', limit, async () => {
  await using at = await openBroker({ users: new Map([['gw-1', 'right']]) });
  const clock: Clock = systemClock;
  const url = `mqtt://gw-1:hunter2@127.0.0.1:${at.broker.port}`;
  await using wrong = uplinkTo(at.broker, { url, clock });
  await assert.rejects(take(wrong.exchange(blocks(1), never)), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'EW_LINK_LOST');
    assert.ok(!error.message.includes('hunter2'), error.message);
    return true;
  });
  await using right = uplinkTo(at.broker, { username: 'gw-1', password: 'right' });
  assert.deepEqual(await take(right.exchange(blocks(0), never)), []);
});

test('says how the collector answers, and tells its state again when it is asked', limit, async () => {
  await using at = await openBroker();
  const hellos: Hello[] = [];
  await using uplink = uplinkTo(at.broker, { onHello: hello => void hellos.push(hello) });
  const exchanged = take(uplink.exchange(blocks(1), never));
  await at.until(() => at.textsOf('block').length === 1);
  const told = () => at.textsOf('state').length;
  const before = told();
  const desired = topicOf('gw-1', 'desired');
  for (const text of ['', '[]', '{"timeMs":"now"}', '{"refused":"you are a copy"}'])
    await at.broker.publish(desired, text);
  await at.broker.publish(desired, JSON.stringify({ journal: 'j-1', timeMs: 5, more: 'later releases say' }));
  await at.broker.publish(desired, JSON.stringify({ ask: 'state' }));
  await at.until(() => told() > before);
  const last = JSON.parse(at.textsOf('state').at(-1)!) as { schemas: unknown[]; online: boolean };
  assert.deepEqual([last.online, last.schemas], [true, [describedToJson(described)]]);
  const [hello] = hellos;
  assert.deepEqual([hellos.length, hello!.journal, hello!.timeMs], [1, 'j-1', 5]);
  assert.ok(hello!.roundTripMs >= 0 && hello!.roundTripMs < 60_000);
  await at.answer(1);
  await exchanged;
  assert.ok(uplink.roundTripP99Ms! > 0);
});

test('a schema is told before the first block that needs it, once', limit, async () => {
  await using at = await openBroker();
  await using uplink = uplinkTo(at.broker);
  const exchanged = take(uplink.exchange(blocks(3), never));
  await at.until(() => at.textsOf('block').length === 3);
  const kinds = at.kinds().filter(kind => kind === 'state' || kind === 'block');
  assert.deepEqual(kinds, ['state', 'state', 'block', 'block', 'block']);
  await at.answer(1, 3);
  await exchanged;
});

const id = { epoch, oldestEpoch: epoch, atMs: 1 };

async function* tracedBlocks(n: number): AsyncGenerator<Entry, void, void> {
  const batches = new TestBatches();
  for (let seq = 1; seq <= n; seq++) {
    const bytes = encodeBlock({ ...id, seq }, batches.next(1));
    yield { epoch, seq, lane: 'backlog', bytes, described, trace: sampleTrace };
  }
}

/** What a collector of this release says, and what others do: nothing of versions, or nothing at all. */
for (const [what, hello, carried] of [
  ['that takes traces', { journal: 'j-1', timeMs: 5, wire: 2 }, true],
  ['that takes none, or is of an earlier release', { journal: 'j-1', timeMs: 5 }, false],
  ['that says nothing', undefined, false],
] as const) {
  test(
    `to a collector ${what} the first block goes ${carried ? 'with' : 'without'} its trace`,
    limit,
    async () => {
      await using at = await openBroker();
      const tracer = new RecordingTracer();
      const spans = new PublishSpans({ tracer, clock: systemClock, log: silentLogger });
      await using uplink = uplinkTo(at.broker, { spans });
      const exchanged = take(uplink.exchange(tracedBlocks(2), never));
      await at.until(() => at.states().length === 1);
      assert.equal(at.blocks().length, 0, 'it waits a moment for what the collector says');
      if (hello) await at.broker.publish(topicOf('gw-1', 'desired'), JSON.stringify(hello));
      await at.until(() => at.blocks().length === 2);
      const headers = at.blocks().map(bytes => readHeader(bytes));
      assert.deepEqual(
        headers.map(({ seq, trace }) => [seq, trace]),
        [1, 2].map(seq => [seq, carried ? sampleTrace : undefined]),
      );
      await at.answer(1, 2);
      await exchanged;
      assert.equal(tracer.named('publish')[0]?.attributes?.['edgeward.context_carried'], carried);
    },
  );
}

test('a collector that no longer takes traces gets none from its first word on', limit, async () => {
  await using at = await openBroker();
  const spans = new PublishSpans({ tracer: new RecordingTracer(), clock: systemClock, log: silentLogger });
  await using uplink = uplinkTo(at.broker, { spans, windowBytes: 1 });
  const desired = topicOf('gw-1', 'desired');
  const exchanged = take(uplink.exchange(tracedBlocks(6), never));
  await at.until(() => at.states().length === 1);
  await at.broker.publish(desired, JSON.stringify({ journal: 'j-1', wire: 2 }));
  await at.until(() => at.blocks().length === 4);
  await at.broker.publish(desired, JSON.stringify({ journal: 'j-2' }));
  await at.answer(1, 2);
  await at.until(() => at.blocks().length === 6);
  assert.deepEqual(
    at.blocks().map(([version]) => version),
    [2, 2, 2, 2, 1, 1],
  );
  await at.answer(3, 6);
  await exchanged;
});

test('what a collector said of traces holds for that link only', limit, async () => {
  await using at = await openBroker();
  const spans = new PublishSpans({ tracer: new RecordingTracer(), clock: systemClock, log: silentLogger });
  await using uplink = uplinkTo(at.broker, { spans });
  const first = take(uplink.exchange(tracedBlocks(1), never));
  await at.until(() => at.states().length === 1);
  await at.broker.publish(topicOf('gw-1', 'desired'), JSON.stringify({ journal: 'j-1', wire: 2 }));
  await at.until(() => at.blocks().length === 1);
  await at.answer(1);
  await first;
  const second = take(uplink.exchange(tracedBlocks(1), never));
  await at.until(() => at.blocks().length === 2);
  assert.deepEqual(
    at.blocks().map(([version]) => version),
    [2, 1],
  );
  await at.answer(1);
  await second;
});

function anEvent(atMs: number): AgentEvent {
  return { gateway: 'gw-1', epoch, atMs, kind: 'source', text: 'x', details: {} };
}
