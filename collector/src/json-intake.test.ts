/** What simple publishers send, through a real journal, and what they are answered. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Delivery } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { parseReceipts } from '@edgeward/shared/receipts';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Gateways } from './gateways.js';
import { Identities } from './identity.js';
import { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import { folderFor, openJournal } from './journal/testing/blocks.js';
import { JsonIntake } from './json-intake.js';
import { ledgerView } from './ledger.js';
import { Releases } from './releases.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };
const nowMs = 1_790_000_000_000;

interface Reply {
  readonly id?: string;
  readonly ok?: true;
  readonly error?: { readonly field: string; readonly value: string; readonly reason: string };
}

async function start(folder: string) {
  const journal = await openJournal(folder);
  const clock = new FakeClock({ nowMs });
  const replies: Reply[] = [];
  const answer = async (_gateway: string, reply: string) => {
    assert.equal(parseReceipts(Buffer.from(reply)), undefined, 'an agent takes no reply for receipts');
    replies.push(JSON.parse(reply));
  };
  const json = new JsonIntake({ journal, answer, lateAfterMs: 60_000, clock });
  await json.open();
  const releases = new Releases({
    journal,
    required: () => [],
    send: async () => undefined,
    clock,
    log: silentLogger,
  });
  const ingest = new Ingest({
    journal,
    gateways: new Gateways(clock),
    identities: new Identities(0),
    releases,
    json,
    publish: async () => undefined,
    lateAfterMs: 60_000,
    maxQueueBytes: 1e6,
    clock,
    log: silentLogger,
  });
  const stop = new AbortController();
  const running = ingest.run(stop.signal);
  const send = async (message: unknown, gateway = 'esp-1') => {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    await ingest.takeJson(gateway, Buffer.from(text));
    return replies.at(-1)!;
  };
  const end = async () => {
    stop.abort();
    await running;
    await journal[Symbol.asyncDispose]();
  };
  return { journal, send, replies, [Symbol.asyncDispose]: end };
}

async function stored(journal: Journal): Promise<readonly Delivery[]> {
  return (await journal.read(0, all)).deliveries;
}

function cells({ batch }: Delivery): unknown[] {
  return batch.schema.fields.map(({ name }, f) => [name, ...(batch.values[f] as Iterable<unknown>)]);
}

test('a message is durable when it is answered, and its rows are read and stored', async t => {
  const folder = await folderFor(t);
  {
    await using started = await start(folder);
    const message = {
      id: 'm-1',
      device: 'room',
      time: nowMs - 5,
      values: { temp: 21.5, open: true, mode: 'eco' },
    };
    assert.deepEqual(await started.send(message), { id: 'm-1', ok: true });
  }
  await using journal = await openJournal(folder);
  const [delivery] = await stored(journal);
  assert.deepEqual([delivery?.gateway, delivery?.late, delivery?.batch.time[0]], ['esp-1', false, nowMs - 5]);
  assert.deepEqual(cells(delivery!), [
    ['temp', 21.5],
    ['open', 1],
    ['mode', 'eco'],
  ]);
  const { devices, balanced } = ledgerView(journal.received, journal.accounts);
  assert.deepEqual([devices[0]?.read, devices[0]?.stored, balanced], [1, 1, true]);
});

test('lists of rows, of several devices and fields that come and go, in one answer', async t => {
  await using started = await start(await folderFor(t));
  const { send, journal } = started;
  await send([
    { device: 'a', values: { x: 1 } },
    { device: 'b', time: '2026-01-31T12:00:00Z', values: { x: 2, y: null } },
    { device: 'a', values: { y: 3 } },
  ]);
  assert.deepEqual(await send({ id: 'r', rows: [{ device: 'a', values: { x: 4, y: null } }] }), {
    id: 'r',
    ok: true,
  });
  const deliveries = await stored(journal);
  assert.deepEqual(
    deliveries.map(({ seq, batch }) => [seq, batch.schema.devices[0], [...batch.row]]),
    [
      [1, 'a', [1, 2]],
      [2, 'b', [1]],
      [3, 'a', [3]],
    ],
  );
  const [first, second, third] = deliveries;
  const [one, two] = first!.batch.time;
  assert.ok(two! > one!, 'times are unique per device');
  assert.equal(first!.batch.quality[1]! & Quality.timeMoved, Quality.timeMoved);
  assert.equal(second!.batch.time[0], Date.UTC(2026, 0, 31, 12));
  assert.equal(second!.late, true);
  assert.deepEqual(
    third!.batch.schema.fields.map(({ name }) => name),
    ['x', 'y'],
  );
});

test('an id is stored once, within a start, beyond it, and per publisher', async t => {
  const folder = await folderFor(t);
  const message = { id: 'same', device: 'd', values: { x: 1 } };
  {
    await using started = await start(folder);
    await Promise.all([started.send(message), started.send(message)]);
    assert.deepEqual(started.replies, [
      { id: 'same', ok: true },
      { id: 'same', ok: true },
    ]);
    await started.send(message, 'esp-2');
  }
  await using started = await start(folder);
  await started.send(message);
  await started.send({ ...message, id: 'other' });
  const deliveries = await stored(started.journal);
  assert.deepEqual(
    deliveries.map(({ gateway }) => gateway),
    ['esp-1', 'esp-2', 'esp-1'],
  );
  assert.equal(new Set(deliveries.map(({ epoch, gateway, seq }) => `${gateway}/${epoch}/${seq}`)).size, 3);
});

test('of many ids the newest thousand are known, and no more are kept', async t => {
  const folder = await folderFor(t);
  {
    await using started = await start(folder);
    const send = (i: number) => started.send({ id: `m-${i}`, device: 'd', values: { x: i } });
    for (let i = 0; i < 1200; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => send(i + j)));
    let kept = 0;
    for await (const _ of started.journal.records('y')) kept += 1;
    assert.equal(kept, 1000);
  }
  await using started = await start(folder);
  await started.send({ id: 'm-200', device: 'd', values: { x: 1 } });
  assert.equal((await stored(started.journal)).length, 1200);
});

const wrong: readonly [what: string, message: unknown, field: string, reason: RegExp][] = [
  ['no JSON', '{"device":', 'message', /is not JSON/],
  ['a number', 7, 'message', /object/],
  ['no device', { values: { x: 1 } }, 'device', /name/],
  ['a device with a slash', { device: 'a/b', values: { x: 1 } }, 'device', /letters/],
  ['no values', { device: 'a' }, 'values', /object/],
  ['empty values', { device: 'a', values: {} }, 'values', /1 to/],
  ['a nested value', { device: 'a', values: { x: { y: 1 } } }, 'values.x', /number, true or false/],
  ['only nulls', { device: 'a', values: { x: null } }, 'values', /no field/],
  ['a wrong time', { device: 'a', time: 'noon', values: { x: 1 } }, 'time', /2026-01-31/],
  ['nanoseconds', { device: 'a', time: 1.79e18, values: { x: 1 } }, 'time', /ms since 1970/],
  ['a misspelt key', { device: 'a', value: { x: 1 }, values: { x: 1 } }, 'value', /known are/],
  [
    'one bad row among good ones',
    [{ device: 'a', values: { x: 1 } }, { device: 'a' }],
    '[1].values',
    /object/,
  ],
  ['an empty list', [], 'message', /1 to/],
  ['another kind than before', { device: 'known', values: { x: 'warm' } }, 'values.x', /was a number/],
  ['a number as id', { id: 7, device: 'a', values: { x: 1 } }, 'id', /text/],
];

for (const [what, message, field, reason] of wrong)
  test(`${what} is refused by name, and nothing of the message is stored`, async (t: TestContext) => {
    await using started = await start(await folderFor(t));
    await started.send({ device: 'known', values: { x: 1 } });
    const { ok, error } = await started.send(message);
    assert.equal(ok, undefined);
    assert.equal(error?.field, field);
    assert.match(error?.reason ?? '', reason);
    assert.equal((await stored(started.journal)).length, 1);
    assert.deepEqual(await started.send({ device: 'known', values: { x: 2 } }), { ok: true });
  });

test('kinds are remembered across starts, and a refused message answers its id', async t => {
  const folder = await folderFor(t);
  {
    await using started = await start(folder);
    await started.send({ device: 'd', values: { x: 1 } });
  }
  await using started = await start(folder);
  const { id, error } = await started.send({ id: 'm', device: 'd', values: { x: 'warm' } });
  assert.deepEqual([id, error?.field], ['m', 'values.x']);
});

test('no two rows of a device have one time in microseconds, however many come at once', async t => {
  await using started = await start(await folderFor(t));
  const values = { t: 1 };
  const sameTime = Array.from({ length: 600 }, () => ({ device: 'oven', values }));
  const near = [0.0001, 0.0002, 0.1, 0.15, 0.6].map(part => ({ device: 'oven', time: nowMs + part, values }));
  for (const rows of [sameTime, near, sameTime]) assert.deepEqual(await started.send(rows), { ok: true });
  const deliveries = await stored(started.journal);
  const times = deliveries.flatMap(({ batch }) => Array.from(batch.time, ms => Math.round(ms * 1000)));
  assert.equal(times.length, 1205);
  assert.equal(new Set(times).size, times.length);
  assert.ok(Math.max(...times) < nowMs * 1000 + 1206, 'moved no further than needed');
});

test('a time whose microseconds are not exact is refused', async t => {
  await using started = await start(await folderFor(t));
  const values = { t: 1 };
  assert.deepEqual(await started.send({ device: 'oven', time: 2 ** 43 - 1, values }), { ok: true });
  const { error } = await started.send({ device: 'oven', time: 2 ** 43, values });
  assert.equal(error?.field, 'time');
});
