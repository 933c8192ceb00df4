import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RangeSet } from './ranges.js';
import fc from './testing/properties.js';

const range = fc.tuple(fc.nat(60), fc.nat(8)).map(([from, more]) => [from, from + more] as const);

test('behaves as a plain set of numbers', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), range, (added, [from, through]) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const [low, high] of added) {
        set.add(low, high);
        for (let n = low; n <= high; n++) model.add(n);
      }
      assert.equal(set.count, model.size);
      for (let n = -1; n <= 70; n++) assert.equal(set.has(n), model.has(n), `${n}`);
      const within = [...model].filter(n => n >= from && n <= through).length;
      assert.equal(set.countWithin(from, through), within);
    }),
  );
});

test('what is taken out is gone, and the parts within a span are those of a plain set', () => {
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 20 }),
      fc.array(range, { maxLength: 20 }),
      range,
      (adds, outs, span) => {
        const [set, out] = [new RangeSet(), new RangeSet()];
        const model = new Set<number>();
        for (const [low, high] of adds) {
          set.add(low, high);
          for (let n = low; n <= high; n++) model.add(n);
        }
        for (const [low, high] of outs) {
          out.add(low, high);
          for (let n = low; n <= high; n++) model.delete(n);
        }
        set.removeAll(out);
        const sorted = [...model].sort((a, b) => a - b);
        assert.equal(set.count, model.size);
        assert.deepEqual([set.first, set.last, set.isEmpty], [sorted[0], sorted.at(-1), sorted.length === 0]);
        const parts = set
          .within(...span)
          .flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
        assert.deepEqual(
          parts,
          sorted.filter(n => n >= span[0] && n <= span[1]),
        );
        out.addAll(set);
        for (const n of model) assert.ok(out.has(n));
      },
    ),
  );
});

test('its ranges are sorted, disjoint and do not touch, so that equal sets look equal', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), added => {
      const set = new RangeSet();
      for (const [low, high] of added) set.add(low, high);
      const list = set.toJSON();
      for (const [i, [from, through]] of list.entries()) {
        assert.ok(from <= through);
        if (i > 0) assert.ok(from > list[i - 1]![1] + 1, JSON.stringify(list));
      }
      assert.deepEqual(new RangeSet(list).toJSON(), list);
    }),
  );
});

test('a clone and the list it was made from go their own ways', () => {
  const list = [[1, 3]] as const;
  const first = new RangeSet(list);
  const second = first.clone();
  second.add(4);
  assert.deepEqual(first.toJSON(), [[1, 3]]);
  assert.deepEqual(second.toJSON(), [[1, 4]]);
  assert.deepEqual(list, [[1, 3]]);
});

test('numbers in order stay one range, however many', () => {
  const set = new RangeSet();
  for (let n = 1; n <= 100_000; n++) set.add(n);
  assert.deepEqual(set.toJSON(), [[1, 100_000]]);
});

test('what is missing of a range is all of it that is not in the set', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), range, (added, [from, through]) => {
      const set = new RangeSet();
      for (const [low, high] of added) set.add(low, high);
      const missing = new RangeSet(set.missing(from, through));
      for (let n = 0; n <= 70; n++)
        assert.equal(missing.has(n), n >= from && n <= through && !set.has(n), `${n}`);
    }),
  );
});
