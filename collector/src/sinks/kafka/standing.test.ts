/** A map stands for the compacted topic: the last value of each key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { maxRanges } from './epoch-records.js';
import { type Change, Standing } from './standing.js';

type Topic = Map<string, string>;

function read(topic: Topic): Standing {
  const standing = new Standing('plant', 'kafka');
  for (const [key, value] of topic) standing.take(key, value);
  return standing.ready();
}

/** In some order: compaction keeps the last of each key, wherever it stands. */
function store(topic: Topic, changes: readonly Change[]): void {
  for (const { key, value } of changes) {
    topic.delete(key);
    if (value !== null) topic.set(key, value);
  }
}

function holes(from: number, n: number): RangeList {
  return Array.from({ length: n }, (_, i) => [from + 2 * i, from + 2 * i] as const);
}

test('what is received is read as it was written, in few pieces or many', () => {
  const rng = seededRng(testSeed('epoch records'));
  const topic: Topic = new Map();
  const ids = ['gw-1/1-aa', 'gw:2/1-aa'];
  let standing = read(topic);
  let known = new Set<string>();
  let most = 0;
  for (let step = 0; step < 300; step++) {
    const before = standing.cursor?.received ?? {};
    const received: Record<string, RangeList> = {};
    for (const id of ids) {
      const set = new RangeSet(before[id]);
      const at = Math.floor(rng() * 9000);
      const kind = rng();
      if (kind < 0.04) continue; // forgotten
      if (kind < 0.15) set.add(at, at + Math.floor(rng() * 9000));
      else for (const [from, through] of holes(at, Math.floor(rng() * 700))) set.add(from, through);
      received[id] = set.toJSON();
    }
    const changes = [
      ...standing.settle(received, {}, known),
      ...standing.advance([], [], 'journal-1', step + 1),
    ];
    store(topic, changes);
    most = Math.max(most, topic.size);
    known = new Set(Object.keys(received));
    for (const { value } of changes) assert.ok((value ?? '').length < 45_000);
    if (rng() < 0.3) standing = read(topic);
    assert.deepEqual(read(topic).cursor?.received, received, `step ${step}`);
    const isSplit = [...topic.keys()].some(key => key.includes('"ranges"'));
    const head = JSON.parse(topic.get('["plant","kafka","head",""]')!);
    assert.equal(head.version, isSplit ? 2 : 1, 'an older release reads what it can');
  }
  assert.ok(most > 5, `${most} records at most: nothing was split`);
});

test('a record of a former release that is larger than one is now is read, and written anew', () => {
  const ranges = holes(1, 3 * maxRanges);
  const topic: Topic = new Map([
    ['["plant","kafka","epoch","gw-1/1-aa"]', JSON.stringify({ ranges })],
    [
      '["plant","kafka","head",""]',
      JSON.stringify({ version: 1, journal: 'j', position: 1, notes: {}, producers: ['5'] }),
    ],
  ]);
  const standing = read(topic);
  assert.deepEqual(standing.cursor?.received, { 'gw-1/1-aa': ranges });
  const more = [...ranges, [9_000, 9_010] as const];
  store(topic, standing.settle({ 'gw-1/1-aa': more }, {}, new Set()));
  assert.deepEqual(read(topic).cursor?.received, { 'gw-1/1-aa': more });
  assert.equal(topic.size, 5);
  // Only what has changed.
  const last = [...ranges, [9_000, 9_020] as const];
  const keys = standing.settle({ 'gw-1/1-aa': last }, {}, new Set()).map(({ key }) => key);
  assert.deepEqual(keys, ['["plant","kafka","ranges","3:gw-1/1-aa"]', '["plant","kafka","head",""]']);
});
