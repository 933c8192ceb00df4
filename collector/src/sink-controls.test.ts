/** What people see of sinks and do to them, on a real journal. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { folderFor, openJournal, TestGateway } from './journal/testing/blocks.js';
import { SinkDesk } from './sink-controls.js';
import { SinkSet } from './sink-set.js';
import { sinkConfig } from './sinks/index.js';
import { FakeServer } from './testing/kept-sink.js';

const limit = { timeout: 20_000 };
const turn = () => new Promise(setImmediate);

/** A running sink on a server, and the desk over it. */
async function deskOf(t: TestContext, server: FakeServer) {
  const journal = await openJournal(await folderFor(t));
  const stop = new AbortController();
  const sinks = new SinkSet({
    journal,
    create: () => server.sink(false),
    sinks: [sinkConfig.parse({ type: 'file', name: 'lake', directory: '/nowhere' })],
    receiptAfter: ['lake'],
    onMoved: () => undefined,
    untilTrimmed: async () => undefined,
    lingerMs: 1,
    clock: new FakeClock({ autoAdvance: true }),
    log: silentLogger,
  });
  const reload = () => Promise.reject(new TypeError('nothing to read'));
  const desk = new SinkDesk({ sinks, journal, reload });
  await sinks.open(stop.signal);
  const running = sinks.run(stop.signal, new AbortController().signal);
  return {
    journal,
    desk,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      await sinks[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
    },
  };
}

test(
  'what a server refused is listed, and replayed once it takes it; what it still refuses stays',
  limit,
  async t => {
    const server = new FakeServer();
    server.refused = new Set([2, 4]);
    await using at = await deskOf(t, server);
    const { desk, journal } = at;
    await journal.append(new TestGateway().incoming(5));
    while (desk.list()[0]!.lag.blocks > 0) await turn();
    assert.deepEqual(server.seqs, [1, 3, 5]);
    assert.deepEqual(desk.list()[0]!.deadLetters, { letters: 2, rows: 8 });
    const { count, rows, letters } = desk.letters('lake', 1)!;
    assert.deepEqual([count, rows, letters.length, letters[0]!.rows], [2, 8, 1, 4]);
    assert.match(letters[0]!.reason, /no room for 4/);
    assert.equal(letters[0]!.gateway, 'gw-1');

    server.refused = new Set([4]);
    const outcome = await desk.replay('lake');
    assert.deepEqual([outcome?.stored, outcome?.refused, outcome?.reasons.length], [1, 1, 1]);
    assert.match(outcome!.reasons[0]!.reason, /no room for 4/);
    server.refused = new Set();
    const [left] = desk.letters('lake', 10)!.letters;
    assert.deepEqual(await desk.replay('lake', [left!.id]), { stored: 1, refused: 0, reasons: [] });
    assert.deepEqual([...server.seqs].sort(), [1, 2, 3, 4, 5]);
    assert.deepEqual(desk.list()[0]!.deadLetters, { letters: 0, rows: 0 });
    assert.equal((await desk.replay('lake', ['unknown']))?.refused, 1);
    assert.deepEqual([desk.letters('none', 1), await desk.replay('none')], [undefined, undefined]);
  },
);

test('a pause is told once, holds what comes, and ends', limit, async t => {
  const server = new FakeServer();
  await using at = await deskOf(t, server);
  const { desk, journal } = at;
  const gateway = new TestGateway();
  assert.match((await desk.pause('lake'))?.note ?? '', /gateways get no receipts/);
  await desk.pause('lake');
  await journal.append(gateway.incoming(2));
  for (let i = 0; i < 50; i++) await turn();
  const [sink] = desk.list();
  assert.deepEqual([sink!.state, sink!.paused, sink!.lag.blocks, server.seqs], ['paused', true, 2, []]);
  assert.deepEqual(await desk.resume('lake'), { name: 'lake', paused: false, note: null });
  while (desk.list()[0]!.lag.blocks > 0) await turn();
  assert.deepEqual(server.seqs, [1, 2]);
  const told = journal.events().map(({ text }) => text);
  assert.deepEqual(told, ['Sink lake was paused.', 'Sink lake was resumed.']);
  assert.equal(await desk.pause('none'), undefined);
});
