/** What sinks' servers refuse is kept whole, once, within its room, until it is replayed. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Delivery, Note, Refusal } from '@edgeward/shared/contracts';
import { type GoneLetters, goneWith } from './gone-letters.js';
import type { Journal, JournalOptions } from './journal.js';
import { refusedRows, type SinkLetter } from './sink-letters.js';
import { folderFor, openJournal, TestGateway } from './testing/blocks.js';

async function filled(t: TestContext, blocks: number, more: Partial<JournalOptions> = {}) {
  const folder = await folderFor(t);
  const journal = await openJournal(folder, more);
  const deliveries = await journal.append(new TestGateway().incoming(blocks));
  return { folder, journal, deliveries, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
}

function refusal(delivery: Delivery, rows?: readonly number[], reason = 'no such column'): Refusal {
  return { delivery, ...(rows && { rows }), reason };
}

function brief(journal: Journal, sink?: string) {
  return journal.sinkLetters
    .list(100, sink)
    .map(letter => [letter.sink, letter.kind === 'rows' ? letter.devices : letter.number, letter.reason]);
}

const note: Note = {
  feed: 'incident',
  store: 'alerts-1',
  number: 7,
  gateway: 'gw-1',
  atMs: 5,
  value: { id: 'inc-1', channels: [{ field: 'flow' }] },
};

test('a letter is whole after a restart: its rows, whose they are, and the reason; notes, too', async t => {
  await using first = await filled(t, 2);
  const { folder, journal, deliveries } = first;
  await journal.sinkLetters.keep('kafka', [refusal(deliveries[0]!, [3, 0]), { note, reason: 'too long' }]);
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder);
  assert.deepEqual(brief(again), [
    ['kafka', 7, 'too long'],
    ['kafka', { 'probe-1': [[1, 1]], 'probe-2': [[2, 2]] }, 'no such column'],
  ]);
  const [ofNote, ofRows] = again.sinkLetters.list(2).map(({ id }) => id);
  await again.sinkLetters.replay(ofNote!, async ({ notes, deliveries: none }) => {
    assert.deepEqual([notes, none], [[note], []]);
  });
  await again.sinkLetters.replay(ofRows!, async ({ deliveries: [delivery] }) => {
    const { batch, ...facts } = delivery!;
    const { batch: all, ...expected } = deliveries[0]!;
    assert.deepEqual({ ...facts }, { ...expected });
    assert.deepEqual([...batch.row], [1, 2]);
    assert.deepEqual([...batch.time], [all.time[0], all.time[3]]);
    assert.deepEqual(
      batch.values.map(column => column[1]),
      all.values.map(column => column[3]),
    );
  });
  assert.deepEqual(brief(again), [], 'what is replayed is no letter');
});

test('the same refusal again changes nothing, nor do rows that another letter has', async t => {
  await using opened = await filled(t, 2);
  const { journal, deliveries } = opened;
  const { sinkLetters } = journal;
  const [one] = deliveries;
  await sinkLetters.keep('kafka', [refusal(one!, [0]), refusal(one!, [0])]);
  const { id, atMs } = sinkLetters.list(1)[0]!;
  await sinkLetters.keep('kafka', [refusal(one!, [0], 'said otherwise')]);
  assert.deepEqual(
    sinkLetters.list(9).map(letter => [letter.id, letter.atMs, letter.reason]),
    [[id, atMs, 'no such column']],
  );
  await sinkLetters.keep('kafka', [refusal(one!)]);
  assert.deepEqual(
    brief(journal).map(([, rows]) => rows),
    [{ 'probe-2': [[1, 2]], 'probe-1': [[2, 2]] }, { 'probe-1': [[1, 1]] }],
    'only the rest of the block',
  );
  await sinkLetters.keep('influx', [refusal(one!, [0])]);
  assert.deepEqual(brief(journal, 'influx').length, 1, 'sinks do not share letters');
  await assert.rejects(sinkLetters.keep('kafka', [refusal(one!, [4])]), TypeError);
});

test('each sink has room of its own; its oldest letters go, counted with their rows and told', async t => {
  const sizes = { maxRefusedBytes: 64 * 1024 };
  await using opened = await filled(t, 300, sizes);
  const { folder, journal, deliveries } = opened;
  await journal.sinkLetters.keep('kafka', [refusal(deliveries[0]!)]);
  for (const delivery of deliveries) await journal.sinkLetters.keep('influx', [refusal(delivery, [0, 1])]);
  const kept = journal.sinkLetters.counts().get('influx')!;
  const gone = journal.sinkLetters.gone().get('influx')!;
  assert.ok(kept.letters > 10 && kept.letters < 300, `${kept.letters}`);
  assert.deepEqual([kept.letters + gone.letters, kept.rows + gone.rows], [300, 600]);
  assert.equal(journal.sinkLetters.counts().get('kafka')?.letters, 1);
  const [newest] = journal.sinkLetters.list(1, 'influx');
  assert.ok(newest?.kind === 'rows' && newest.seq === 300);
  assert.ok(journal.events().some(({ kind, text }) => kind === 'journal' && text.includes('were deleted')));
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder, sizes);
  assert.deepEqual(again.sinkLetters.counts().get('influx'), kept);
  assert.deepEqual(again.sinkLetters.gone().get('influx'), gone);
});

test('what is refused again in a replay stays: all of it under its new reason, or the rest of it', async t => {
  await using opened = await filled(t, 1);
  const { folder, journal, deliveries } = opened;
  await journal.sinkLetters.keep('influx', [refusal(deliveries[0]!)]);
  const { id } = journal.sinkLetters.list(1)[0]!;
  const whole = await journal.sinkLetters.replay(id, async ({ deliveries: [replayed] }) =>
    journal.sinkLetters.keep('influx', [refusal(replayed!, undefined, 'still no')]),
  );
  assert.equal(whole, false);
  assert.deepEqual(
    journal.sinkLetters.list(9).map(letter => [letter.id, letter.reason]),
    [[id, 'still no']],
  );
  const part = await journal.sinkLetters.replay(id, async ({ deliveries: [replayed] }) =>
    journal.sinkLetters.keep('influx', [refusal(replayed!, [0], 'never')]),
  );
  assert.equal(part, true);
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder);
  assert.deepEqual(brief(again), [['influx', { 'probe-1': [[1, 1]] }, 'never']]);
});

test('a replay that fails, or ends between refusing and storing, neither loses nor doubles', async t => {
  await using opened = await filled(t, 1);
  const { folder, journal, deliveries } = opened;
  const { sinkLetters } = journal;
  await sinkLetters.keep('influx', [refusal(deliveries[0]!)]);
  const { id } = sinkLetters.list(1)[0]!;
  const cut = sinkLetters.replay(id, async ({ deliveries: [replayed] }) => {
    await sinkLetters.keep('influx', [refusal(replayed!, [0], 'never')]);
    throw new Error('the power went');
  });
  await assert.rejects(cut, /the power went/);
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder);
  const stored: number[][] = [];
  const letters = again.sinkLetters.list(9);
  assert.equal(letters.length, 2);
  for (const letter of letters)
    await again.sinkLetters.replay(letter.id, async content => {
      stored.push(...content.deliveries.map(({ batch }) => [...batch.row]));
    });
  assert.deepEqual(stored, [[1, 2, 2], [1]], 'of the younger and the older one, each row once');
  assert.deepEqual(brief(again), []);
});

test('the older of two letters of one row leaves it to the younger', async t => {
  await using opened = await filled(t, 1);
  const { sinkLetters } = opened.journal;
  await sinkLetters.keep('influx', [refusal(opened.deliveries[0]!)]);
  const { id } = sinkLetters.list(1)[0]!;
  const cut = sinkLetters.replay(id, async ({ deliveries: [replayed] }) => {
    await sinkLetters.keep('influx', [refusal(replayed!, [0], 'never')]);
    throw new Error('the power went');
  });
  await assert.rejects(cut);
  let rows: number[] = [];
  await sinkLetters.replay(id, async ({ deliveries: [rest] }) => {
    rows = [...rest!.batch.row];
  });
  assert.deepEqual(rows, [1, 2, 2], 'without row 1 of the first device');
  assert.deepEqual(brief(opened.journal), [['influx', { 'probe-1': [[1, 1]] }, 'never']]);
});

test('what is written anew is no letter any more, but for what is refused in that write', async t => {
  await using opened = await filled(t, 3);
  const { journal, deliveries, folder } = opened;
  const [one, two, three] = deliveries;
  const { sinkLetters } = journal;
  await sinkLetters.keep('kafka', [
    refusal(one!, [0, 1]),
    refusal(two!),
    refusal(three!),
    { note, reason: 'too long' },
  ]);
  await sinkLetters.keep('influx', [refusal(one!)]);
  const failed = sinkLetters.around('kafka', { deliveries, notes: [note] }, async () => {
    await sinkLetters.keep('kafka', [refusal(one!, [1])]);
    throw new Error('the server went');
  });
  await assert.rejects(failed, /the server went/);
  assert.equal(sinkLetters.list(9, 'kafka').length, 5, 'nothing goes before all is stored');
  const content = { deliveries: [one!, two!], notes: [note] };
  await sinkLetters.around('kafka', content, () =>
    sinkLetters.keep('kafka', [refusal(one!, [1]), refusal(two!, undefined, 'still no')]),
  );
  const left = () => brief(journal, 'kafka').map(([, rows]) => rows);
  const all = { 'probe-1': [[3, 4]], 'probe-2': [[3, 4]] };
  assert.equal(left().length, 3);
  assert.deepEqual(left()[0], { 'probe-2': [[1, 1]] }, 'of two rows the one that was refused again');
  await sinkLetters.around('kafka', { deliveries: [two!], notes: [] }, async () => undefined);
  assert.equal(left().length, 2);
  assert.ok(!left().some(rows => JSON.stringify(rows) === JSON.stringify(all)));
  assert.equal(sinkLetters.list(9, 'influx').length, 1);
  assert.deepEqual([...sinkLetters.gone()], [], 'nothing was given up');
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder);
  assert.equal(again.sinkLetters.list(9, 'kafka').length, 2);
});

test('what somebody discards is counted as deleted', async t => {
  await using opened = await filled(t, 1);
  const { sinkLetters } = opened.journal;
  await sinkLetters.keep('influx', [refusal(opened.deliveries[0]!, [0, 1])]);
  assert.equal(await sinkLetters.discard(['unknown', sinkLetters.list(1)[0]!.id]), 1);
  const { letters, rows } = sinkLetters.gone().get('influx')!;
  assert.deepEqual([letters, rows, sinkLetters.list(9)], [1, 2, []]);
});

const key = 'gw-1/000000001-00000000000000aa';

test('which rows were deleted is known after a restart, until their sink leaves or its store is empty', async t => {
  await using opened = await filled(t, 3);
  const { folder, journal, deliveries } = opened;
  await journal.sinkBook.set('influx', { type: 'influxdb', paused: false, joined: true });
  const discarded = async (delivery: Delivery, rows?: number[]) => {
    await journal.sinkLetters.keep('influx', [refusal(delivery, rows)]);
    await journal.sinkLetters.discard(journal.sinkLetters.list(9, 'influx').map(({ id }) => id));
  };
  for (const delivery of deliveries.slice(0, 2)) await discarded(delivery);
  await discarded(deliveries[2]!, [3]);
  await journal[Symbol.asyncDispose]();
  await using again = await openJournal(folder);
  const { rows, spans } = again.sinkLetters.gone().get('influx')!;
  const all = {
    'probe-1': [[1, 4, 4]],
    'probe-2': [
      [1, 4, 4],
      [6, 6, 1],
    ],
  };
  assert.deepEqual([rows, spans], [9, { [key]: all }]);
  await again.sinkBook.forget('influx');
  assert.equal(again.sinkLetters.gone().get('influx'), undefined);
  const former = {
    'probe-1': [[1, 4]],
    'probe-2': [
      [1, 4],
      [6, 6],
    ],
  };
  assert.deepEqual(again.sinkBook.former('influx'), { [key]: former }, 'its own store still lacks them');
  await again[Symbol.asyncDispose]();
  await using last = await openJournal(folder);
  assert.deepEqual([...last.sinkLetters.gone()], []);
});

test('too many ranges of deleted rows are told as few, with how many rows of each; none is told twice', () => {
  const letters = (from: number): SinkLetter[] =>
    Array.from({ length: 1500 }, (_, i) => ({
      ...{ id: `${from + i}`, bytes: 1, kind: 'rows', sink: 'influx', gateway: 'gw-1', epoch: 'e', seq: i },
      ...{ position: i, ingestedMs: 0, late: false, rows: 1, reason: '', atMs: 0 },
      devices: { 'probe-1': [[from + 3 * i, from + 3 * i]] },
    }));
  let gone: GoneLetters | undefined;
  for (const from of [1, 4501]) {
    const few = letters(from);
    gone = goneWith(gone, few, refusedRows(few), 5);
  }
  const spans = gone!.spans['gw-1/e']!['probe-1']!;
  assert.ok(spans.length > 200 && spans.length <= 1000, `${spans.length}`);
  assert.deepEqual([gone!.rows, spans.reduce((sum, [, , count]) => sum + count, 0)], [3000, 3000]);
  for (const [i, [first, last, count]] of spans.entries()) {
    assert.ok(first > (spans[i - 1]?.[1] ?? 0) && last >= first && count <= last - first + 1);
  }
  assert.deepEqual([spans[0]![0], spans.at(-1)![1]], [1, 8998]);
});
