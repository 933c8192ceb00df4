import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Entry, Receipt } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { decodeBlock } from '@edgeward/shared/wire';
import { LevelOutbox, type OutboxOptions } from './level-outbox.js';

const folders: string[] = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-outbox-'));
  folders.push(made);
  return made;
}

function open(base: string, options: Partial<OutboxOptions> = {}): Promise<LevelOutbox> {
  return LevelOutbox.open({
    directory: path.join(base, 'outbox'),
    gateway: 'gateway-1',
    maxBytes: 64 * 1024 * 1024,
    whenFull: 'dropOldest',
    clock: systemClock,
    log: silentLogger,
    ...options,
  });
}

const never = new AbortController().signal;
const origin = { source: 'source', acknowledges: true };
const stopped = AbortSignal.abort();

/** All that waits, once everything appended is durable. */
async function waiting(outbox: LevelOutbox): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of outbox.entries(stopped)) entries.push(entry);
  return entries;
}

async function append(outbox: LevelOutbox, batches: TestBatches, rows = 5): Promise<void> {
  const { durable } = await outbox.append(batches.next(rows), origin, never);
  await durable;
}

function receipt({ epoch, seq }: Entry, mark: Receipt['mark'] = 'released'): Receipt {
  return { epoch, from: seq, through: seq, mark };
}

/** What a kill -9 leaves: the files as they are, while the process still has them open. */
async function crashCopy(base: string): Promise<string> {
  const copy = await folder();
  await cp(base, copy, { recursive: true, filter: source => path.basename(source) !== 'LOCK' });
  return copy;
}

test('offers blocks in order and keeps them until they are released', async () => {
  await using outbox = await open(await folder());
  outbox.link(true);
  const batches = new TestBatches();
  for (let i = 0; i < 5; i++) await append(outbox, batches);
  const entries = await waiting(outbox);
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    [1, 2, 3, 4, 5],
  );
  assert.ok(entries.every(({ epoch, lane }) => epoch === outbox.epoch && lane === 'live'));
  const { header } = decodeBlock(entries[2]!.bytes, () => entries[2]!.described);
  assert.deepEqual(header.devices[0], { index: 0, first: 11, last: 15, count: 5 });

  await outbox.receive(receipt(entries[1]!, 'journaled'));
  assert.deepEqual(
    (await waiting(outbox)).map(({ seq }) => seq),
    [1, 3, 4, 5],
    'journaled ends resending',
  );
  assert.equal(outbox.report().outbox.blocks, 5, 'but only released forgets');
  await outbox.receive({ epoch: outbox.epoch, from: 1, through: 1e15, mark: 'released' });
  assert.equal(outbox.report().outbox.blocks, 0);
  await outbox.receive(receipt(entries[1]!));
});

test('a receipt of another epoch releases nothing', async () => {
  await using outbox = await open(await folder());
  await append(outbox, new TestBatches());
  await outbox.receive({ epoch: '000000009-00000000000000aa', from: 1, through: 10, mark: 'released' });
  assert.equal((await waiting(outbox)).length, 1);
});

test('after a crash everything durable is there, in a new epoch, with the ledger and the source positions', async () => {
  const base = await folder();
  await using first = await open(base);
  const batches = new TestBatches();
  for (let i = 1; i <= 3; i++) {
    const { durable } = await first.append(
      batches.next(4),
      { source: 'replay', position: { offset: i * 100 } },
      never,
    );
    await durable;
  }
  const copy = await crashCopy(base);
  await using second = await open(copy);
  assert.notEqual(second.epoch, first.epoch);
  assert.equal(second.id, first.id);
  assert.ok(second.gap, 'an unclean end is a gap');
  assert.deepEqual(second.position('replay'), { offset: 300 });
  second.link(true);
  await append(second, new TestBatches());
  const entries = await waiting(second);
  assert.deepEqual(
    entries.map(({ epoch, seq, lane }) => [epoch === first.epoch, seq, lane]),
    [
      [false, 1, 'live'],
      [true, 1, 'backlog'],
      [true, 2, 'backlog'],
      [true, 3, 'backlog'],
    ],
  );
  const probe = second.report().devices.find(({ device }) => device === 'probe-1')!;
  assert.equal(probe.read, 17);
  assert.deepEqual(probe.held, [
    { epoch: first.epoch, from: 1, through: 12, count: 12 },
    { epoch: second.epoch, from: 1, through: 5, count: 5 },
  ]);
});

test('a clean stop is no gap, and what was released stays forgotten', async () => {
  const base = await folder();
  const first = await open(base);
  await append(first, new TestBatches());
  for (const entry of await waiting(first)) await first.receive(receipt(entry));
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await using second = await open(base);
  assert.equal(second.gap, undefined);
  assert.equal((await waiting(second)).length, 0);
  const [probe] = second.report().devices;
  assert.deepEqual([probe!.read, probe!.held], [5, []]);
});

test('batches that arrive during one commit go down together', async () => {
  await using outbox = await open(await folder());
  const batches = new TestBatches();
  const admissions = await Promise.all(
    Array.from({ length: 50 }, () => outbox.append(batches.next(1), origin, never)),
  );
  await Promise.all(admissions.map(({ durable }) => durable));
  assert.deepEqual(
    (await waiting(outbox)).map(({ seq }) => seq),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
});

test('at the quota the oldest block that was never sent goes, counted and told', async () => {
  const events: string[] = [];
  await using outbox = await open(await folder(), {
    maxBytes: 900,
    onEvent: ({ kind }) => void events.push(kind),
  });
  const batches = new TestBatches();
  await append(outbox, batches, 500);
  const [sent] = await waiting(outbox);
  for (let i = 0; i < 12; i++) await append(outbox, batches, 500);
  const left = await waiting(outbox);
  assert.ok(
    left.some(({ seq }) => seq === sent!.seq),
    'what was sent may be stored already: it stays',
  );
  assert.ok(!left.some(({ seq }) => seq === 2));
  assert.ok(events.includes('dropped'));
  const [probe] = outbox.report().devices;
  const held = probe!.held.reduce((sum, { from, through }) => sum + through - from + 1, 0);
  assert.equal(probe!.read, 13 * 500);
  assert.equal(probe!.read, held + probe!.dropped);
});

test('at the quota a source waits where that is configured, until a receipt makes room', async () => {
  await using outbox = await open(await folder(), { maxBytes: 600, whenFull: 'block' });
  const batches = new TestBatches();
  while (outbox.report().outbox.bytes < 600) await append(outbox, batches, 500);
  let admitted = false;
  const waits = outbox.append(batches.next(1), origin, never).then(({ durable }) => {
    admitted = true;
    return durable;
  });
  await new Promise(setImmediate);
  assert.equal(admitted, false);
  const [oldest] = await waiting(outbox);
  await outbox.receive(receipt(oldest!));
  await waits;
  const late = new AbortController();
  while (outbox.report().outbox.bytes < 600) await append(outbox, batches, 500);
  const refused = outbox.append(batches.next(1), origin, late.signal);
  late.abort();
  await assert.rejects(refused, error => hasCode(error, 'EW_STOPPED'));
});

test('rejected rows are part of what was read', async () => {
  await using outbox = await open(await folder());
  outbox.countRejected('source', 'probe-1', 7);
  await append(outbox, new TestBatches());
  const [probe] = outbox.report().devices;
  assert.deepEqual([probe!.read, probe!.rejected], [12, 7]);
});

test('a batch that makes no block is counted and told, its source goes on behind it, and no seq is lost', async () => {
  const base = await folder();
  const events: string[] = [];
  const first = await open(base, { onEvent: ({ text }) => void events.push(text) });
  const batches = new TestBatches();
  await append(first, batches, 2);
  const whole = batches.next(3);
  const devices = [...whole.schema.devices, 'x'.repeat(2 ** 20)];
  const tooLarge = { ...whole, schema: { ...whole.schema, devices } };
  const { durable } = await first.append(tooLarge, { source: 'wide', position: { at: 7 } }, never);
  await durable;
  assert.deepEqual(first.position('wide'), { at: 7 });
  await append(first, batches, 1);
  assert.deepEqual(
    (await waiting(first)).map(({ seq }) => seq),
    [1, 2],
  );
  assert.match(events.join(), /^6 rows of source wide were rejected: The batch makes no block/);
  await first[Symbol.asyncDispose]();
  await using second = await open(base);
  assert.deepEqual(second.position('wide'), { at: 7 });
  for (const { read, rejected } of second.report().devices) assert.deepEqual([read, rejected], [6, 3]);
});

test('a store that lost records in the middle opens, and what is gone is counted as damaged', async () => {
  const base = await folder();
  const events: string[] = [];
  const first = await open(base);
  const batches = new TestBatches();
  for (let i = 0; i < 20; i++) await append(first, batches, 50);
  await first[Symbol.asyncDispose]();
  await flipByte(path.join(base, 'outbox'));
  await using second = await open(base, { onEvent: ({ kind }) => void events.push(kind) });
  const entries = await waiting(second);
  const probe = second.report().devices.find(({ device }) => device === 'probe-1')!;
  const held = probe.held.reduce((sum, { from, through }) => sum + through - from + 1, 0);
  assert.ok(entries.length < 20, `${entries.length} of 20 blocks are left`);
  assert.equal(probe.read, held + probe.damaged);
  assert.deepEqual(events, ['damage']);
});

/** In the middle of the biggest file: a block, or the record that holds it. */
async function flipByte(store: string): Promise<void> {
  const files = (await readdir(store)).filter(name => /\.(log|ldb)$/.test(name));
  const sizes = await Promise.all(
    files.map(async name => [name, (await readFile(path.join(store, name))).length] as const),
  );
  const [name] = sizes.sort((a, b) => b[1] - a[1])[0]!;
  const bytes = await readFile(path.join(store, name));
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
  await writeFile(path.join(store, name), bytes);
}

test('a store that lost its CURRENT file is repaired, not begun anew', async () => {
  const base = await folder();
  const first = await open(base);
  await append(first, new TestBatches());
  await first[Symbol.asyncDispose]();
  await rm(path.join(base, 'outbox', 'CURRENT'));
  await using second = await open(base);
  assert.equal((await waiting(second)).length, 1);
  assert.ok((await readdir(base)).some(name => name.startsWith('outbox.damaged-')));
});

test('an outbox that lost its marker goes on with what it holds', async () => {
  for (const content of [undefined, '', 'garbage']) {
    const base = await folder();
    const first = await open(base);
    await append(first, new TestBatches());
    await first[Symbol.asyncDispose]();
    const marker = path.join(base, 'outbox.json');
    if (content === undefined) await rm(marker);
    else await writeFile(marker, content);
    await using second = await open(base);
    assert.equal(second.id, first.id);
    assert.ok(second.gap, 'whether the last end was clean is not known');
    assert.deepEqual(
      (await waiting(second)).map(({ epoch, seq }) => [epoch, seq]),
      [[first.epoch, 1]],
    );
    assert.ok(second.epoch > first.epoch);
  }
});

test('an outbox that lost its marker and more is moved aside, with an event that says where, and the agent runs', async () => {
  const base = await folder();
  const first = await open(base);
  await append(first, new TestBatches());
  await first[Symbol.asyncDispose]();
  await rm(path.join(base, 'outbox.json'));
  await rm(path.join(base, 'outbox', 'CURRENT'));
  const events: { kind: string; text: string }[] = [];
  await using second = await open(base, { onEvent: event => void events.push(event) });
  assert.notEqual(second.id, first.id);
  await append(second, new TestBatches());
  assert.equal((await waiting(second)).length, 1);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['damage'],
  );
  const moved = (await readdir(base)).find(name => name.startsWith('outbox.damaged-'));
  assert.ok(moved && events[0]!.text.includes(path.join(base, moved)), events[0]!.text);
});

test('a store of a newer release is refused untouched, and so is one that is open', async () => {
  const base = await folder();
  const first = await open(base);
  await assert.rejects(open(base), error => hasCode(error, 'EW_STORE_LOCKED'));
  await first[Symbol.asyncDispose]();
  const marker = path.join(base, 'outbox.json');
  const newer = JSON.stringify({ ...JSON.parse(await readFile(marker, 'utf8')), version: 99 });
  await writeFile(marker, newer);
  await assert.rejects(open(base), error => hasCode(error, 'EW_STORE_VERSION'));
  assert.equal(await readFile(marker, 'utf8'), newer);
});

test('a batch without rows makes no block; its position and what was rejected before it are durable', async () => {
  const base = await folder();
  const outbox = await open(base);
  const batch = new TestBatches().next(1);
  const none = {
    ...batch,
    time: batch.time.slice(0, 0),
    row: batch.row.slice(0, 0),
  };
  outbox.countRejected('source', 'pump-1', 3);
  const { durable } = await outbox.append(none, { source: 'source', position: { at: 7 } }, never);
  await durable;
  const copy = await crashCopy(base);
  assert.deepEqual(await waiting(outbox), []);
  await outbox[Symbol.asyncDispose]();
  await using again = await open(copy);
  assert.deepEqual(again.position('source'), { at: 7 });
  assert.deepEqual(
    again.report().devices.map(({ device, read, rejected }) => [device, read, rejected]),
    [['pump-1', 3, 3]],
  );
});
