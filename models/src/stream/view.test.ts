import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Covariance, View } from './view.js';

test('without covariances a distance is that of standardised columns', () => {
  const view = new View({ means: [0, 1], changes: [], center: [1, 2], whitening: [0.5, 0, 0.25] });
  assert.equal(view.distance(Float64Array.of(99, 1 + 6, 2 + 16), 1), 5);
});

test('rows as those learned from lie at the distance that their number of columns makes usual', () => {
  const seed = testSeed('view');
  const random = gaussian(seededRng(seed));
  const rows = Array.from({ length: 4000 }, () => {
    const [a, b, c] = [random(), random(), random()];
    return Float64Array.of(a, a + 0.5 * b, 3 * c + 7);
  });
  const covariance = new Covariance(3);
  for (const row of rows) covariance.add(row, 0);
  const view = new View({ means: [0, 1, 2], changes: [], ...covariance.finish() });
  const mean = rows.reduce((sum, row) => sum + view.distance(row, 0) ** 2, 0) / rows.length;
  // 3 without shrinking the covariances.
  assert.ok(mean > 2 && mean < 3.1, `${mean}, SEED=${seed}`);
  assert.ok(view.distance(Float64Array.of(1, -1, 7), 0) > 1.5 * view.distance(Float64Array.of(1, 1, 7), 0));
});

test('of a row with one channel off, that channel comes first, with the right sign', () => {
  const seed = testSeed('blame');
  const rng = seededRng(seed);
  const random = gaussian(rng);
  const mixing = Array.from({ length: 36 }, random);
  const row = () => {
    const hidden = Array.from({ length: 6 }, random);
    return Float64Array.from({ length: 6 }, (_, i) =>
      hidden.reduce((sum, value, j) => sum + value * mixing[i * 6 + j]!, 0.3 * random()),
    );
  };
  const covariance = new Covariance(6);
  for (let r = 0; r < 3000; r++) covariance.add(row(), 0);
  const view = new View({ means: [0, 1, 2, 3, 4, 5], changes: [], ...covariance.finish() });
  let right = 0;
  for (let r = 0; r < 1000; r++) {
    const x = row();
    const [channel, sign] = [Math.floor(rng() * 6), rng() < 0.5 ? 1 : -1];
    x[channel]! += sign * 15;
    const blame = new Float64Array(6);
    view.blame(x, 0, 1, blame);
    const first = blame.reduce((most, part, c) => (Math.abs(part) > Math.abs(blame[most]!) ? c : most), 0);
    if (first === channel && Math.sign(blame[first]!) === sign) right += 1;
  }
  assert.ok(right >= 990, `${right} of 1000, SEED=${seed}`);
});
