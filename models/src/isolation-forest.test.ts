import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { type Forest, scoreForest, trainForest } from './isolation-forest.js';
import { averagePathLength } from './path-length.js';

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
  for (const more of [{}, { tries: 4 }, { featuresASplit: 2 }, { featuresASplit: 3 }]) {
    const x = cloud(2000);
    const all = scores(trainForest(x, 2001, 3, { ...options, ...more }), x);
    const normal = all.slice(0, 2000).sort();
    assert.ok(all[2000]! > normal.at(-1)!, `${JSON.stringify(more)}: ${all[2000]} against ${normal.at(-1)}`);
    assert.ok(all.every(score => score > 0 && score <= 1));
    if (!more.tries) assert.ok(normal[1000]! > 0.35 && normal[1000]! < 0.5, `median ${normal[1000]}`);
  }
});

test('the same seed gives the same forest, another seed another', () => {
  const x = cloud(500);
  for (const featuresASplit of [1, 2]) {
    const mine = { ...options, featuresASplit };
    const first = trainForest(x, 501, 3, mine);
    assert.deepEqual(trainForest(x, 501, 3, mine), first);
    assert.notDeepEqual(trainForest(x, 501, 3, { ...mine, seed: 6 }), first);
  }
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
  const { planes } = trainForest(x, 300, 2, { ...options, featuresASplit: 2 });
  assert.deepEqual(new Set(planes?.feature), new Set([0]));
  for (const featuresASplit of [1, 2]) {
    const alike = trainForest(new Float32Array(100).fill(3), 50, 2, { ...options, featuresASplit });
    assert.equal(alike.feature.length, options.trees);
    assert.ok(scores(alike, Float32Array.of(3, 3))[0]! > 0);
  }
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

test('an extended forest finds a broken relation better, and does not care for units', () => {
  const random = gaussian(seededRng(8));
  // Two features that move together; the last row is usual in each of them, but not in both.
  const x = new Float32Array(2 * 1001);
  for (let r = 0; r < 1000; r++) {
    const load = random();
    x.set([1000 * (load + 0.05 * random()), load + 0.05 * random()], 2 * r);
  }
  x.set([700, -0.7], 2000);
  const rank = (featuresASplit: number) => {
    const all = scores(trainForest(x, 1001, 2, { ...options, featuresASplit }), x);
    return all.filter(score => score > all[1000]!).length;
  };
  const [plain, extended] = [rank(1), rank(2)];
  assert.ok(extended < plain / 2 && extended <= 30, `${extended} rows above it, ${plain} in a plain forest`);
});

test('missing values: rows without some are learned from and scored', () => {
  const x = cloud(2000);
  for (let i = 0; i < 6000; i += 7) x[i] = Number.NaN;
  for (const featuresASplit of [1, 2]) {
    const forest = trainForest(x, 2001, 3, { ...options, featuresASplit });
    assert.ok(forest.value.every(Number.isFinite), 'no threshold is missing');
    const all = scores(forest, x);
    const median = all.slice(0, 2000).sort()[1000]!;
    assert.ok(all.every(score => score > 0 && score <= 1));
    assert.ok(all[2000]! > median + 0.15, `${featuresASplit}: ${all[2000]} against ${median}`);
  }
});

test('a missing value counts as a very high one in a plain forest, and as the usual one in an extended', () => {
  const x = cloud(2000);
  const of = (featuresASplit: number, ...row: number[]) =>
    scores(trainForest(x, 2001, 3, { ...options, featuresASplit }), Float32Array.from(row))[0]!;
  assert.equal(of(1, 0, Number.NaN, 0), of(1, 0, 1e30, 0));
  assert.equal(
    of(2, 3, Number.NaN, 0),
    of(2, 3, trainForest(x, 2001, 3, { ...options, featuresASplit: 2 }).planes!.usual[1]!, 0),
  );
  assert.ok(of(2, 0, Number.NaN, 0) < 0.45);
  assert.ok(of(2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0) > 0.6);
});
