import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '@edgeward/shared/testing/properties';
import { thresholdAt } from './calibrate.js';

const inAlarm = (scores: Float32Array, threshold: number) =>
  scores.filter(score => score >= threshold).length;

test('a contamination of a tenth puts a tenth of the rows in alarm, and so does the 0.9 quantile', () => {
  const scores = Float32Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) / 128);
  assert.equal(thresholdAt(scores, { contamination: 0.1 }), 89.5 / 128);
  assert.equal(thresholdAt(scores, { quantile: 0.9 }), 89.5 / 128);
  for (let percent = 0; percent <= 100; percent++)
    assert.equal(inAlarm(scores, thresholdAt(scores, { contamination: percent / 100 })), percent);
});

test('equal scores are in alarm together or not at all', () => {
  const scores = Float32Array.of(0.25, 0.5, 0.5, 0.5, 0.75);
  assert.equal(thresholdAt(scores, { contamination: 0.4 }), 0.625);
  assert.equal(thresholdAt(scores, { contamination: 0.8 }), 0.375);
  assert.equal(thresholdAt(scores, { contamination: 0 }), 0.75 + 1e-5);
  assert.equal(thresholdAt(Float32Array.of(0.5, 0.5), { contamination: 0.5 }), 0.5 + 1e-5);
});

test('never more rows in alarm than asked for, and as many as equal scores allow', () => {
  const score = fc.integer({ min: 0, max: 64 }).map(n => n / 64);
  fc.assert(
    fc.property(
      fc.array(score, { minLength: 1, maxLength: 60 }),
      fc.float({ min: 0, max: 1, noNaN: true }),
      (list, share) => {
        const scores = Float32Array.from(list);
        const threshold = thresholdAt(scores, { contamination: share });
        const most = share * scores.length + 1e-9;
        assert.ok(inAlarm(scores, threshold) <= most || threshold === 1);
        const lower = scores.filter(one => one < threshold);
        if (lower.length > 0)
          assert.ok(
            inAlarm(
              scores,
              lower.reduce((a, b) => Math.max(a, b)),
            ) > most,
          );
      },
    ),
  );
});

test('no scores, or a share that is none', () => {
  assert.throws(() => thresholdAt(new Float32Array(0), { contamination: 0.1 }), RangeError);
  for (const contamination of [-0.1, 1.1, Number.NaN])
    assert.throws(() => thresholdAt(Float32Array.of(0.5), { contamination }), RangeError);
});
