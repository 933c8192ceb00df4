/** The context of a trace stays with its block, wherever that goes, and is no part of its bytes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TraceContext } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { readHeader, wireVersion } from '@edgeward/shared/wire';
import { recordSchemas } from './layout.js';
import type { Notice } from './level-outbox.js';
import { packValue, traceNotes, unpackValue } from './stored-value.js';
import {
  acknowledging,
  crashCopy,
  folder,
  never,
  noisy,
  open,
  polled,
  receiptOf,
  removeFolders,
  take,
  waiting,
  walk,
} from './testing/outboxes.js';

after(removeFolders);

const traceOf = (n: number): TraceContext => ({ traceId: `${n}`.repeat(32), spanId: `${n}`.repeat(16) });

test('from memory, from disk, and after a kill, an entry has the trace that its batch came with', async () => {
  const base = await folder();
  const batches = new TestBatches();
  let crashed: string;
  {
    await using outbox = await open(base, { maxLossMs: 3_600_000 });
    outbox.link(true);
    const entries = walk(outbox);
    await outbox.append(batches.next(1), { ...polled, trace: traceOf(1) }, never);
    await outbox.append(batches.next(1), polled, never);
    const [first, second] = await take(entries, 2);
    assert.deepEqual([first?.trace, second?.trace], [traceOf(1), undefined]);
    for (const n of [2, 3]) {
      const origin = { ...acknowledging, position: { n }, trace: traceOf(n) };
      assert.equal(await (await outbox.append(batches.next(1), origin, never)).durable, 'disk');
    }
    crashed = await crashCopy(base);
  }
  const whole = new Map<string, (TraceContext | undefined)[]>();
  for (const [what, where] of [
    ['killed', crashed],
    ['stopped', base],
  ] as const) {
    const events: Notice[] = [];
    await using outbox = await open(where, {}, events);
    whole.set(
      what,
      (await waiting(outbox)).map(({ trace }) => trace),
    );
    assert.ok(!events.some(({ kind }) => kind === 'damage'));
    assert.deepEqual(outbox.position('acknowledging'), { n: 3 }, 'the notes of others are still found');
  }
  assert.deepEqual(whole.get('killed'), [traceOf(2), traceOf(3)]);
  assert.deepEqual(whole.get('stopped'), [traceOf(1), undefined, traceOf(2), traceOf(3)]);
});

test('a block that is journaled there is safe there, and what is asked about it is not traced again', async () => {
  await using outbox = await open(await folder(), { maxLossMs: 3_600_000 });
  outbox.link(true);
  const origin = { ...polled, trace: traceOf(1) };
  const { durable } = await outbox.append(new TestBatches().next(1), origin, never);
  const [entry] = await take(walk(outbox), 1);
  await outbox.receive(receiptOf(entry!, 'journaled'));
  assert.equal(await durable, 'journal');
  const [asked] = await take(walk(outbox), 1);
  assert.deepEqual([asked?.seq, asked?.trace], [1, undefined]);
});

test('a block that is thinned keeps its trace', async () => {
  const base = await folder();
  const rng = seededRng(7);
  const batches = new TestBatches();
  await using outbox = await open(base, { maxBytes: 100_000, whenFull: 'thin' });
  const lengths: number[] = [];
  for (let n = 0; n < 12; n++) {
    const batch = noisy(batches.next(500), rng);
    lengths.push(batch.time.length);
    const { durable } = await outbox.append(batch, { ...acknowledging, trace: traceOf((n % 9) + 1) }, never);
    await durable;
  }
  const left = await waiting(outbox);
  assert.ok(
    left.some(({ seq, bytes }) => readHeader(bytes).rows < lengths[seq - 1]!),
    'some were thinned',
  );
  for (const { seq, trace } of left) assert.deepEqual(trace, traceOf(((seq - 1) % 9) + 1));
});

test('in the store the block is of version 1, and its trace a note that other releases read as one of theirs', () => {
  const block = Buffer.of(wireVersion, 2, 3);
  const { bytes, trace, notes } = unpackValue(packValue(0, block, traceNotes(traceOf(5))))!;
  assert.deepEqual([bytes, trace, notes], [block, traceOf(5), []]);
  const [note] = traceNotes(traceOf(5));
  assert.ok(note && note.key.toString('latin1', 0, 1) in recordSchemas);
  const altered = packValue(0, block, [{ key: note.key, value: Buffer.from(note.value).fill(0, 8) }]);
  assert.deepEqual(unpackValue(altered)?.trace, undefined);
});
