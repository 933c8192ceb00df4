/** What is offered when: fresh data first, the backlog beside it, each in its order. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Entry } from '@edgeward/shared/contracts';
import { TestBatches } from '@edgeward/shared/testing/batches';
import {
  appendDurably,
  folder,
  never,
  open,
  polled,
  receiptOf,
  removeFolders,
  take,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 60_000 };
const late = { maxLossMs: 3_600_000 };
const empty = { id: '', blocks: 0, bytes: 0, oldestMs: null, durability: 'deferred' };

function names(entries: readonly Entry[], live: string): string[] {
  return entries.map(
    ({ epoch, seq, lane }) => `${lane} ${epoch === live ? '' : `${Number.parseInt(epoch, 10)}.`}${seq}`,
  );
}

/** Two starts that left 6 and 3 blocks. */
async function backlog(base: string): Promise<void> {
  for (const blocks of [6, 3]) {
    await using outbox = await open(base);
    const batches = new TestBatches();
    for (let i = 0; i < blocks; i++) await appendDurably(outbox, batches.next(1));
  }
}

test('fresh data goes first and leaves its turn to the backlog, which goes oldest first', limit, async () => {
  const base = await folder();
  await backlog(base);
  await using outbox = await open(base, late);
  outbox.link(true);
  const entries = walk(outbox);
  const batches = new TestBatches();
  assert.deepEqual(names(await take(entries, 1), outbox.epoch), ['backlog 1.1']);
  for (let i = 0; i < 5; i++) await outbox.append(batches.next(1), polled, never);
  assert.deepEqual(names(await take(entries, 13), outbox.epoch), [
    'live 1',
    'live 2',
    'live 3',
    'backlog 1.2',
    'live 4',
    'live 5',
    'backlog 1.3',
    'backlog 1.4',
    'backlog 1.5',
    'backlog 1.6',
    'backlog 2.1',
    'backlog 2.2',
    'backlog 2.3',
  ]);
});

test('in order: all that is older goes first', limit, async () => {
  const base = await folder();
  await backlog(base);
  await using outbox = await open(base, { ...late, replay: 'inOrder' });
  const batches = new TestBatches();
  for (let i = 0; i < 2; i++) await outbox.append(batches.next(1), polled, never);
  await appendDurably(outbox, batches.next(1, [1]));
  await outbox.append(batches.next(1), polled, never);
  outbox.link(true);
  const entries = await take(walk(outbox), 13);
  assert.deepEqual(
    entries.map(({ epoch, seq }) => `${Number.parseInt(epoch, 10)}.${seq}`),
    ['1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '2.1', '2.2', '2.3', '3.1', '3.2', '3.3', '3.4'],
  );
});

test('what was written while the link was down is backlog, though this start made it', limit, async () => {
  await using outbox = await open(await folder(), late);
  const batches = new TestBatches();
  for (let i = 0; i < 3; i++) await appendDurably(outbox, batches.next(1));
  outbox.link(true);
  const entries = walk(outbox);
  assert.deepEqual(names(await take(entries, 1), outbox.epoch), ['backlog 1']);
  await appendDurably(outbox, batches.next(1));
  assert.deepEqual(names(await take(entries, 3), outbox.epoch), ['live 4', 'backlog 2', 'backlog 3']);
});

test(
  'a new walk offers all again that was not received, voids the one before, and asks about what was journaled',
  limit,
  async () => {
    await using outbox = await open(await folder(), late);
    outbox.link(true);
    const batches = new TestBatches();
    const first = walk(outbox);
    for (let i = 0; i < 3; i++) await outbox.append(batches.next(1), polled, never);
    await appendDurably(outbox, batches.next(1), batches.next(1));
    const entries = await take(first, 5);
    await outbox.receive(receiptOf(entries[0]!));
    await outbox.receive(receiptOf(entries[1]!, 'journaled'));
    await outbox.receive(receiptOf(entries[3]!, 'journaled'));
    const pending = first.next();
    const second = walk(outbox);
    const again = await take(second, 4);
    assert.deepEqual(names(again, outbox.epoch), ['live 3', 'backlog 5', 'backlog 2', 'backlog 4']);
    assert.equal((await pending).done, true);
    await outbox.receive({ epoch: outbox.epoch, from: 1, through: 5, mark: 'released' });
    assert.equal(outbox.report().outbox.blocks, 0);
  },
);

async function leaveJournaled(base: string, blocks: number): Promise<void> {
  await using outbox = await open(base, late);
  const batches = new TestBatches();
  for (let i = 0; i < blocks; i++) await appendDurably(outbox, batches.next(1));
  await outbox.receive({ epoch: outbox.epoch, from: 1, through: blocks, mark: 'journaled' });
}

test('a release that was told to nobody is asked for, as far as the collector has come', limit, async () => {
  const base = await folder();
  await leaveJournaled(base, 40);
  await using outbox = await open(base, late);
  outbox.link(true);
  const entries = walk(outbox);
  const asked = await take(entries, 16);
  assert.deepEqual(
    asked.map(({ seq }) => seq),
    Array.from({ length: 16 }, (_, i) => i + 1),
  );
  for (const entry of asked) await outbox.receive(receiptOf(entry));
  const [next] = await take(entries, 1);
  assert.equal(next!.seq, 17);
  await outbox.receive(receiptOf(next!, 'journaled')); // not yet: nothing more is asked
  await outbox.append(new TestBatches().next(1), polled, never);
  const rest = await take(entries, 16);
  assert.deepEqual(
    rest.map(({ lane, seq }) => `${lane} ${seq}`).filter(name => name.startsWith('live')),
    ['live 1'],
  );
  assert.ok(rest.every(({ lane, seq }) => lane === 'live' || seq <= 32));
});

test('a collector that forgot is sent everything again that it had not released', limit, async () => {
  const base = await folder();
  await using outbox = await open(base, late);
  outbox.link(true);
  outbox.meet('journal-1');
  const batches = new TestBatches();
  const entries = walk(outbox);
  await outbox.append(batches.next(1), polled, never);
  await appendDurably(outbox, batches.next(1), batches.next(1));
  for (const entry of await take(entries, 3)) await outbox.receive(receiptOf(entry, 'journaled'));
  assert.equal(outbox.report().devices.flatMap(({ held }) => held).length, 0);
  outbox.meet('journal-1');
  outbox.meet('journal-2');
  const again = await take(entries, 3);
  assert.deepEqual(again.map(({ seq }) => seq).sort(), [1, 2, 3]);
  assert.deepEqual(
    outbox.report().devices.map(({ held }) => held.reduce((sum, { count }) => sum + count, 0)),
    [3, 3],
  );
});

test('blocks of unlike sizes, some released and some sent again, leave no byte behind', limit, async () => {
  await using outbox = await open(await folder(), late);
  outbox.link(true);
  outbox.meet('journal-1');
  const batches = new TestBatches();
  const entries = walk(outbox);
  await appendDurably(outbox, batches.next(1), batches.next(200));
  const [small, large] = await take(entries, 2);
  await outbox.receive(receiptOf(small!, 'journaled'));
  await outbox.receive(receiptOf(large!, 'journaled'));
  await outbox.receive(receiptOf(small!));
  outbox.meet('journal-2');
  await take(entries, 1);
  assert.equal(outbox.report().outbox.bytes, large!.bytes.length + 1);
  await outbox.receive(receiptOf(large!));
  assert.deepEqual(
    { ...outbox.report().outbox, id: '' },
    { ...empty, maxBytes: 64 * 1024 * 1024, journal: 'journal-2' },
  );
});
