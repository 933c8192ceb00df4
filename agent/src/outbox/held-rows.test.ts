import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '@edgeward/shared/testing/properties';
import { HeldRowSpans } from './held-rows.js';

interface Held {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** Blocks one after the other, some thinned, with gaps here and there. */
const blocks = fc
  .array(fc.record({ skip: fc.nat(1), length: fc.integer({ min: 1, max: 9 }), thin: fc.nat(8) }), {
    maxLength: 30,
  })
  .map(list => {
    let next = 1;
    return list.map(({ skip, length, thin }): Held => {
      const first = next + 3 * skip;
      next = first + length;
      return { first, last: next - 1, count: Math.max(1, length - thin) };
    });
  });

test('counts what is held, in ranges that are those of the blocks, in whatever order they leave', () => {
  fc.assert(
    fc.property(blocks, fc.array(fc.nat(), { maxLength: 30 }), (added, picks) => {
      const spans = new HeldRowSpans();
      let model = [...added];
      for (const { first, last, count } of added) spans.add(first, last, count);
      for (const pick of picks) {
        if (!model.length) break;
        const gone = model[pick % model.length]!;
        spans.remove(gone.first, gone.last, gone.count);
        model = model.filter(other => other !== gone);
        assert.equal(
          spans.count,
          model.reduce((sum, { count }) => sum + count, 0),
        );
        assert.deepEqual(spans.ranges(), rangesOf(model));
      }
    }),
  );
});

function rangesOf(blocks: readonly Held[]): [number, number, number][] {
  const ranges: [number, number, number][] = [];
  for (const { first, last, count } of [...blocks].sort((a, b) => a.first - b.first)) {
    const before = ranges.at(-1);
    if (before && before[1] + 1 === first) {
      before[1] = last;
      before[2] += count;
    } else ranges.push([first, last, count]);
  }
  return ranges;
}

test('a hundred thousand thinned blocks are counted together, and their sum stays exact', () => {
  const spans = new HeldRowSpans();
  const n = 100_000;
  for (let i = 0; i < n; i++) spans.add(10 * i + 1, 10 * i + 10, 7);
  assert.deepEqual(spans.ranges(), [[1, 10 * n, 7 * n]]);
  for (let i = 0; i < n / 2; i++) spans.remove(10 * i + 1, 10 * i + 10, 7);
  assert.deepEqual(spans.ranges(), [[5 * n + 1, 10 * n, 3.5 * n]]);
  const middle = (3 * n) / 4;
  spans.remove(10 * middle + 1, 10 * middle + 10, 7);
  assert.equal(spans.count, 3.5 * n - 7);
  assert.equal(
    spans.ranges().reduce((sum, [, , count]) => sum + count, 0),
    3.5 * n - 7,
  );
});
