import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { CompiledForest } from './compiled-forest.js';
import { type Forest, scoreForest, trainForest } from './isolation-forest.js';

/** Values that comparisons get wrong first, thresholds of the forest among them. */
function awkwardRows(forest: Forest, n: number, random: () => number): Float32Array {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e-45, -1e-45];
  return Float32Array.from({ length: n * forest.features }, () => {
    const draw = random();
    if (draw < 0.1) return special[Math.floor(random() * special.length)]!;
    if (draw < 0.5) return forest.value[Math.floor(random() * forest.value.length)]!;
    return 2 * random() - 1;
  });
}

function assertSame(forest: Forest, x: Float32Array, n: number): void {
  const compiled = CompiledForest.of(forest);
  assert.ok(compiled, 'it can be compiled');
  const [found, expected] = [new Float32Array(n), new Float32Array(n)];
  compiled.score(x, n, found);
  scoreForest(forest, x, n, expected);
  assert.deepEqual(found, expected);
  // What the rows before left in its memory means nothing.
  compiled.score(x.subarray(0, forest.features), 1, found);
  assert.equal(found[0], expected[0]);
}

test('compiled, a forest gives the same scores to the bit, whatever its shape and the values', () => {
  for (const [seed, features, trees, samples] of [
    [1, 1, 1, 2],
    [2, 3, 7, 16],
    [3, 8, 100, 256],
    [4, 31, 20, 200],
    [5, 200, 5, 1000],
  ] as const) {
    const random = seededRng(seed);
    // Some values often, so that trees end early; zero of both signs among the thresholds.
    const x = Float32Array.from({ length: 1000 * features }, () =>
      random() < 0.2 ? (random() < 0.5 ? -0 : 0.25) : 2 * random() - 1,
    );
    for (const featuresASplit of [1, 2, 3, 4]) {
      const forest = trainForest(x, 1000, features, { trees, samples, seed, featuresASplit });
      for (const n of [1, 7, 8, 256, 257, 700]) assertSame(forest, awkwardRows(forest, n, random), n);
    }
  }
});

test('a single leaf and branches at zero', () => {
  const leaf: Forest = {
    features: 2,
    scale: -0.1,
    roots: Int32Array.of(0, 1),
    feature: Int32Array.of(-1, 1, -1, -1),
    value: Float32Array.of(3, -0, 1, 2),
    right: Int32Array.of(0, 3, 0, 0),
  };
  assertSame(leaf, Float32Array.of(9, 0, 9, -0, 9, 1e-45, 9, Number.NaN), 4);
});

test('a forest too deep to be filled up is not compiled', () => {
  const chain = (depth: number): Forest => {
    const nodes = 2 * depth + 1;
    const isBranch = (i: number) => i % 2 === 0 && i < nodes - 1;
    return {
      features: 1,
      scale: -0.1,
      roots: Int32Array.of(0),
      feature: Int32Array.from({ length: nodes }, (_, i) => (isBranch(i) ? 0 : -1)),
      value: Float32Array.from({ length: nodes }, (_, i) => i / nodes),
      right: Int32Array.from({ length: nodes }, (_, i) => (isBranch(i) ? i + 2 : 0)),
    };
  };
  assertSame(
    chain(10),
    Float32Array.from({ length: 40 }, (_, i) => i / 40),
    40,
  );
  assert.equal(CompiledForest.of(chain(11)), undefined);
});
