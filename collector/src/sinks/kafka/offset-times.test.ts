import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OffsetTimes } from './offset-times.js';

test('an offset is behind since the end grew beyond it, evenly between two looks', () => {
  const times = new OffsetTimes();
  assert.equal(times.firstBehind(0), undefined);
  times.note(10, 100);
  times.note(20, 100);
  times.note(30, 250);
  assert.deepEqual(
    [0, 99, 100, 175, 250].map(offset => times.firstBehind(offset)),
    [10, 10, 20, 25, undefined],
  );
  times.note(40, 5);
  assert.deepEqual(
    [4, 5].map(offset => times.firstBehind(offset)),
    [40, undefined],
    'the topic was made anew',
  );
});

test('a long watch grows coarse evenly, and what all have passed is forgotten', () => {
  const times = new OffsetTimes();
  for (let i = 1; i <= 100_000; i++) times.note(i, i);
  for (const offset of [0, 20_000, 50_000, 99_999]) {
    const since = times.firstBehind(offset)!;
    assert.ok(Math.abs(since - offset) < 1000, `${offset}: ${since}`);
  }
  times.passed(99_999);
  assert.ok(times.firstBehind(99_999)! > 99_000);
  times.passed(100_000);
  assert.equal(times.firstBehind(100_000), undefined);
  for (let i = 1; i <= 50; i++) times.note(200_000 + i, 100_000 + i);
  assert.equal(times.firstBehind(100_010), 200_010, 'and it is fine again');
});
