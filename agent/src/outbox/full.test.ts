/** At the quota: what is given up, in which order, and what is not. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { decodeBlock } from '@edgeward/shared/wire';
import type { LevelOutbox, Notice } from './level-outbox.js';
import {
  acknowledging,
  appendDurably,
  crashCopy,
  folder,
  never,
  noisy,
  open,
  polled,
  receiptOf,
  removeFolders,
  sums,
  take,
  waiting,
  walk,
} from './testing/outboxes.js';

after(removeFolders);
const limit = { timeout: 120_000 };

/** Each batch takes about 12 kB. */
function source() {
  const [batches, rng] = [new TestBatches(), seededRng(7)];
  return () => noisy(batches.next(500), rng);
}

function anomalous(batch: RecordBatch): RecordBatch {
  return { ...batch, anomaly: new Uint8Array(batch.time.length).fill(1) };
}

async function fill(outbox: LevelOutbox, next: () => RecordBatch, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await appendDurably(outbox, next());
}

function assertBalanced(outbox: LevelOutbox): void {
  const { read, held, rejected, thinned, dropped, damaged } = sums(outbox);
  assert.equal(read, held + rejected + thinned + dropped + damaged);
}

test(
  'thins the oldest first, keeps extremes and every block that was sent, and the sum holds through a kill',
  limit,
  async () => {
    const base = await folder();
    const events: Notice[] = [];
    const maxBytes = 250_000;
    await using outbox = await open(base, { maxBytes, whenFull: 'thin' }, events);
    const next = source();
    await fill(outbox, next, 1);
    const [sent] = await waiting(outbox);
    const peak = next();
    (peak.values[0] as Float64Array)[300] = 1e6;
    await appendDurably(outbox, peak);
    await fill(outbox, next, 30);
    await settled(outbox);
    assert.ok(sums(outbox).thinned > 0);
    assertBalanced(outbox);
    assert.equal(sums(outbox).dropped, 0);
    assert.ok(outbox.report().outbox.bytes <= maxBytes);
    await using copy = await open(await crashCopy(base));
    assertBalanced(copy);
    assert.equal(sums(copy).damaged, 0);
    assert.ok(sums(copy).thinned > 0);
    const found = await waiting(copy);
    const batchOf = (seq: number) => {
      const entry = found.find(one => one.seq === seq)!;
      return decodeBlock(entry.bytes, () => entry.described).batch;
    };
    assert.deepEqual(found.find(({ seq }) => seq === sent!.seq)?.bytes, sent!.bytes);
    assert.ok(batchOf(2).time.length < 1000);
    assert.ok((batchOf(2).values[0] as Float64Array).includes(1e6));
    assert.equal(batchOf(found.at(-1)!.seq).time.length, 1000, 'the newest is whole');
    assert.equal(events.filter(({ kind }) => kind === 'thinned').length, 1, 'once a minute');
  },
);

test(
  'with nothing left to thin the oldest goes, never what is anomalous; at the very end sources wait',
  limit,
  async () => {
    await using outbox = await open(await folder(), { maxBytes: 110_000, whenFull: 'thin' });
    const next = source();
    for (let i = 0; i < 4; i++) await appendDurably(outbox, anomalous(next()));
    await fill(outbox, next, 30);
    await settled(outbox);
    assert.ok(sums(outbox).held >= 4000);
    assertBalanced(outbox);
    let waits = false;
    for (let i = 0; i < 40 && !waits; i++) {
      const appending = outbox.append(anomalous(next()), acknowledging, never).then(({ durable }) => durable);
      appending.catch(() => undefined);
      const watching = new AbortController();
      waits = await Promise.race([appending.then(() => false), roomIsGone(outbox, watching.signal)]);
      watching.abort();
    }
    assert.ok(waits, 'no anomaly makes room for another');
    assertBalanced(outbox);
    assert.ok(sums(outbox).dropped > 0, 'what could not be thinned any more went');
    assert.ok(sums(outbox).held >= 7000, 'anomalies fill the quota');
    const entries = await firstWaiting(outbox);
    assert.deepEqual(entries.slice(0, 4), [1, 2, 3, 4]);
  },
);

/** Room is made beside the appending: until nothing changes any more. */
async function settled(outbox: LevelOutbox): Promise<void> {
  let [seen, quiet] = ['', 0];
  while (quiet < 40) {
    await new Promise(resolve => setTimeout(resolve, 5));
    const now = JSON.stringify([sums(outbox), outbox.report().outbox.bytes]);
    quiet = now === seen ? quiet + 1 : 0;
    seen = now;
  }
}

/** True once nothing but anomalies is held and another has no room. */
async function roomIsGone(outbox: LevelOutbox, stop: AbortSignal): Promise<boolean> {
  let quiet = 0;
  let seen = '';
  while (quiet < 300 && !stop.aborted) {
    await new Promise(resolve => setTimeout(resolve, 5));
    const now = JSON.stringify(sums(outbox));
    quiet = now === seen && outbox.report().outbox.bytes > 100_000 ? quiet + 1 : 0;
    seen = now;
  }
  return true;
}

async function firstWaiting(outbox: LevelOutbox): Promise<number[]> {
  const seqs: number[] = [];
  for await (const entry of outbox.entries(never)) {
    seqs.push(entry.seq);
    await outbox.receive(receiptOf(entry));
    if (seqs.length === 6) return seqs;
  }
  return seqs;
}

test(
  'dropOldest gives up whole blocks, counted in the same commit, and following headers name them',
  limit,
  async () => {
    const base = await folder();
    const events: Notice[] = [];
    await using outbox = await open(base, { maxBytes: 200_000, whenFull: 'dropOldest' }, events);
    const next = source();
    await fill(outbox, next, 30);
    await settled(outbox);
    assertBalanced(outbox);
    const { dropped } = sums(outbox);
    assert.ok(dropped > 0);
    await using copy = await open(await crashCopy(base));
    assert.equal(sums(copy).dropped, dropped);
    assertBalanced(copy);
    const entries = await waiting(copy);
    const { header } = decodeBlock(entries.at(-1)!.bytes, () => entries.at(-1)!.described);
    const first = entries[0]!.seq;
    assert.ok(first > 1);
    assert.deepEqual(header.voids?.[0]?.[0], 1, 'seqs that never come are told');
    assert.ok(events.some(({ kind, details }) => kind === 'dropped' && Number(details.rows) > 0));
  },
);

test('what was offered before a kill is not given up after it, whatever way it went', limit, async () => {
  for (const offer of ['from memory', 'from disk'] as const) {
    const base = await folder();
    await using outbox = await open(base);
    const next = source();
    if (offer === 'from disk') await fill(outbox, next, 4);
    outbox.link(true);
    const entries = walk(outbox);
    const admitted = [];
    if (offer === 'from memory')
      for (let i = 0; i < 4; i++) admitted.push(await outbox.append(next(), polled, never));
    const offered = await take(entries, 4);
    outbox.link(false);
    await Promise.all(admitted.map(({ durable }) => durable));
    await appendDurably(outbox, next());
    const copy = await crashCopy(base);
    await using again = await open(copy, { maxBytes: 160_000, whenFull: 'dropOldest' });
    await fill(again, source(), 20);
    await settled(again);
    assert.ok(sums(again).dropped > 0);
    assertBalanced(again);
    const left = (await waiting(again)).map(({ epoch, seq }) => `${epoch}/${seq}`);
    for (const { epoch, seq } of offered)
      assert.ok(left.includes(`${epoch}/${seq}`), `${offer}: ${seq} is left`);
  }
});
