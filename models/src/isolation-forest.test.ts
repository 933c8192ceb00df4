import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { averagePathLength, type Forest, scoreForest, trainForest } from './isolation-forest.js';

const options = { trees: 100, samples: 256, seed: 5 };

/** n normal rows of 3 features around 0, then one row far out. */
function cloud(n: number): Float32Array {
  const random = gaussian(seededRng(11));
  const x = Float32Array.from({ length: 3 * (n + 1) }, random);
  x.set([6, -6, 6], 3 * n);
  return x;
}

function scores(forest: Forest, x: Float32Array): Float32Array {
  const out = new Float32Array(x.length / forest.features);
  scoreForest(forest, x, out.length, out);
  return out;
}

test('c(n) is the mean path of an unsuccessful search', () => {
  assert.equal(averagePathLength(1), 0);
  assert.equal(averagePathLength(2), 1);
  // The definition, 2·H(n − 1) − 2(n − 1)/n, with the harmonic number summed up.
  for (const n of [16, 256, 4096]) {
    const harmonic = Array.from({ length: n - 1 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
    const exact = 2 * harmonic - (2 * (n - 1)) / n;
    // The paper takes ln(i) + γ for H(i), which is 1 / 2i too little.
    assert.ok(Math.abs(averagePathLength(n) - exact) < 1.1 / (n - 1), `n ${n}`);
  }
});

test('an outlier scores above every normal row, and normal rows around one half', () => {
  for (const tries of [1, 4]) {
    const x = cloud(2000);
    const all = scores(trainForest(x, 2001, 3, { ...options, tries }), x);
    const normal = all.slice(0, 2000).sort();
    assert.ok(all[2000]! > normal.at(-1)!, `tries ${tries}: ${all[2000]} against ${normal.at(-1)}`);
    assert.ok(all.every(score => score > 0 && score <= 1));
    if (tries === 1) assert.ok(normal[1000]! > 0.35 && normal[1000]! < 0.5, `median ${normal[1000]}`);
  }
});

test('the same seed gives the same forest, another seed another', () => {
  const x = cloud(500);
  const first = trainForest(x, 501, 3, options);
  assert.deepEqual(trainForest(x, 501, 3, options), first);
  assert.notDeepEqual(trainForest(x, 501, 3, { ...options, seed: 6 }), first);
});

test('a row on a threshold goes left, one float32 step above it right', () => {
  const forest = trainForest(Float32Array.of(1, 2), 2, 1, { trees: 1, samples: 2, seed: 1 });
  const threshold = forest.value[0]!;
  const above = new Float32Array(new Uint32Array([bitsOf(threshold) + 1]).buffer)[0]!;
  // Path lengths changed so that the side shows.
  const told: Forest = { ...forest, scale: -1, value: Float32Array.of(threshold, 1, 2) };
  assert.deepEqual([...scores(told, Float32Array.of(threshold, above, Number.NaN))], [0.5, 0.25, 0.25]);
});

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

test('features that never vary are never split on, and rows all alike give one leaf a tree', () => {
  const random = seededRng(2);
  const x = Float32Array.from({ length: 600 }, (_, i) => (i % 2 ? 7 : random()));
  const forest = trainForest(x, 300, 2, options);
  assert.ok(!forest.feature.includes(1));
  assert.ok(forest.feature.includes(0));
  const alike = trainForest(new Float32Array(100).fill(3), 50, 2, options);
  assert.equal(alike.feature.length, options.trees);
});

test('two neighbouring float32 values are told apart', () => {
  const next = 1 + 2 ** -23;
  const forest = trainForest(Float32Array.of(1, next, 1, next), 4, 1, { trees: 20, samples: 4, seed: 3 });
  const thresholds = forest.value.filter((_, i) => forest.feature[i]! >= 0);
  // A threshold rounded up to the higher value would send nothing right.
  assert.deepEqual(new Set(thresholds), new Set([1]));
});

test('a matrix of another size is a programming mistake', () => {
  assert.throws(() => trainForest(new Float32Array(5), 2, 3, options), TypeError);
  assert.throws(() => trainForest(new Float32Array(3), 1, 3, options), TypeError);
});
