import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import fc from '@edgeward/shared/testing/properties';
import { testSeed } from '@edgeward/shared/testing/seed';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { loadDetector } from './engines.js';
import type { Planes } from './extended-planes.js';
import { type Forest, scoreForest, scoreMatrix, trainForest } from './isolation-forest.js';
import { readOnnx } from './onnx-reader.js';
import { writeOnnx } from './onnx-writer.js';
import { trainedMachine } from './testing/machine.js';

const random = seededRng(9);
const names = ['a.value', 'b.value', 'c.value', 'd.value'];
const rows = Float32Array.from({ length: 4 * 400 }, random);
const forest = trainForest(rows, 400, 4, { trees: 20, samples: 64, seed: 4 });
const bytes = writeOnnx({ forest, features: names });
const extended = trainForest(rows, 400, 4, { trees: 20, samples: 64, seed: 4, featuresASplit: 3 });
const extendedBytes = writeOnnx({ forest: extended, features: names });

function refused(bytes: Uint8Array): void {
  assert.throws(
    () => readOnnx(bytes),
    error => hasCode(error, 'EW_MODEL_BUNDLE'),
  );
}

/** The graph of a forest that was tampered with, written by our own writer. */
function tampered(change: Partial<Forest>): Uint8Array {
  return writeOnnx({ forest: { ...forest, ...change }, features: names });
}

function withPlanes(change: Partial<Planes>): Uint8Array {
  return writeOnnx({ forest: { ...extended, planes: { ...extended.planes!, ...change } }, features: names });
}

test('the reader gives back what was written', () => {
  assert.deepEqual(readOnnx(bytes), { forest, features: names });
  for (const featuresASplit of [2, 3, 4]) {
    const forest = trainForest(rows, 400, 4, { trees: 20, samples: 64, seed: 4, featuresASplit });
    assert.equal(forest.planes?.terms, featuresASplit);
    assert.deepEqual(readOnnx(writeOnnx({ forest, features: names })), { forest, features: names });
  }
});

/** Values that engines treat differently first: missing, infinite, and on a threshold of the forest. */
function awkwardRows({ feature, value, features, planes }: Forest, n: number): Float32Array {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e30, -1e30];
  return Float32Array.from({ length: n * features }, (_, i) => {
    if (i % 97 === 0) return special[(i / 97) % special.length]!;
    // A threshold of some branch on that very feature, where there is one.
    const node = (i * 31) % feature.length;
    return !planes && feature[node] === i % features ? value[node]! : 40 * random() - 20;
  });
}

/** Rows whose sums are thresholds: of a whole number of quarters, and forests grown from such rows. */
function gridRows(n: number, columns: number): Float32Array {
  return Float32Array.from({ length: n * columns }, () => Math.round(16 * random()) / 4);
}

function assertNear(found: Float32Array, expected: Float32Array, told: number): void {
  assert.equal(found.length, expected.length);
  found.forEach((score, r) => {
    assert.ok(Math.abs(score - expected[r]!) <= 1e-6, `row ${r}: ${score} and ${expected[r]}`);
  });
  assert.ok(new Set(found).size > told, 'the rows tell the trees apart');
}

for (const featuresASplit of [1, 2]) {
  const kind = featuresASplit === 1 ? 'a plain forest' : 'an extended forest';
  test(`both engines score ${kind} alike, also on thresholds, NaN, infinities and beyond 256 rows`, async () => {
    const { bundle } = trainedMachine(featuresASplit);
    const onnx = await loadDetector(bundle, { engine: 'onnx', log: silentLogger });
    const typescript = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
    const n = 700;
    const x = awkwardRows(bundle.forest, n);
    const walked = new Float32Array(n);
    scoreForest(bundle.forest, x, n, walked);
    const scores = await onnx.score(x, n);
    assertNear(scores, await typescript.score(x, n), 50);
    assertNear(scores, walked, 50);
    await onnx[Symbol.asyncDispose]();
    await onnx[Symbol.asyncDispose]();
    await assert.rejects(onnx.score(x, n), error => hasCode(error, 'EW_STOPPED'));
  });
}

test('sums that are thresholds go the same way in onnxruntime, whatever the number of terms', async () => {
  for (const featuresASplit of [1, 2, 3, 4, 5]) {
    const x = gridRows(2000, 5);
    const grown = trainForest(x, 2000, 5, { trees: 30, samples: 256, seed: featuresASplit, featuresASplit });
    // Thresholds on the grid, too: most branches meet rows that lie on them.
    const onGrid = grown.value.map((value, i) =>
      grown.feature[i]! >= 0 ? Math.round(4 * value) / 4 : value,
    );
    const forest = { ...grown, value: onGrid };
    const features = ['a', 'b', 'c', 'd', 'e'];
    const session = await InferenceSession.create(writeOnnx({ forest, features }));
    const { score } = await session.run({ x: new Tensor('float32', x, [2000, 5]) });
    assertNear(score!.data as Float32Array, scoreMatrix(forest, x), 200);
    await session.release();
  }
});

test('units of any size and special values, also in training: what is written is read, and engines agree', async () => {
  const seed = testSeed('units of any size');
  const rng = seededRng(seed);
  const special = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0,
    -0,
    1e-45,
    3.4e38,
    -3.4e38,
    1e-38,
  ];
  for (let round = 0; round < 8; round++) {
    const columns = 2 + Math.floor(20 * rng());
    const units = Array.from({ length: columns }, () => 10 ** (70 * rng() - 35));
    const x = Float32Array.from({ length: 500 * columns }, (_, i) =>
      rng() < 0.05 ? special[i % special.length]! : units[i % columns]! * (rng() - 0.5),
    );
    const options = { trees: 20, samples: 128, seed: round, featuresASplit: 2 + (round % 3) };
    const forest = trainForest(x, 500, columns, options);
    const onnx = writeOnnx({ forest, features: units.map((_, f) => `f${f}`) });
    readOnnx(onnx);
    const session = await InferenceSession.create(onnx);
    const { score } = await session.run({ x: new Tensor('float32', x, [500, columns]) });
    assertNear(score!.data as Float32Array, scoreMatrix(forest, x), 50);
    await session.release();
  }
});

test('a matrix of another size is refused by both engines', async () => {
  for (const engine of ['onnx', 'typescript'] as const) {
    const detector = await loadDetector(trainedMachine().bundle, { engine, log: silentLogger });
    await assert.rejects(detector.score(new Float32Array(3), 2), error => hasCode(error, 'EW_MODEL_SHAPE'));
    assert.equal((await detector.score(new Float32Array(0), 0)).length, 0);
    await detector[Symbol.asyncDispose]();
  }
});

test('every truncation is refused', () => {
  for (const whole of [bytes, extendedBytes])
    for (let size = 0; size < whole.length; size += 13) refused(whole.subarray(0, size));
});

test('every flipped bit is refused or changes the forest', () => {
  for (const [whole, forest] of [
    [bytes, readOnnx(bytes)] as const,
    [extendedBytes, readOnnx(extendedBytes)] as const,
  ])
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(7), (at, bit) => {
        const altered = Uint8Array.from(whole);
        altered[at]! ^= 1 << bit;
        try {
          assert.notDeepEqual(readOnnx(altered), forest);
        } catch (error) {
          assert.ok(hasCode(error, 'EW_MODEL_BUNDLE'), String(error));
        }
      }),
      { numRuns: 400 },
    );
});

test('garbage is refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), refused), { numRuns: 300 });
});

test('what is appended to a model is refused', () => {
  refused(Uint8Array.of(...bytes, 0x1a, 0));
  refused(Uint8Array.of(...extendedBytes, 0x1a, 0));
});

test('hostile forests are refused', () => {
  const right = Int32Array.from(forest.right);
  const branch = forest.feature.findIndex((feature, i) => feature >= 0 && i > 0);
  right[branch] = forest.roots[0]! + 1;
  refused(tampered({ right }));
  right[branch] = forest.feature.length + 5;
  refused(tampered({ right }));
  refused(tampered({ feature: forest.feature.map(feature => (feature === 3 ? 300 : feature)) }));
  refused(tampered({ value: forest.value.map((value, i) => (i === 2 ? Number.NaN : value)) }));
  refused(tampered({ scale: 1 }));
  refused(tampered({ scale: Number.NaN }));
  refused(writeOnnx({ forest, features: [] }));
});

test('hostile planes are refused', () => {
  const planes = extended.planes!;
  const change = <List extends Int16Array | Float32Array>(list: List, at: number, value: number): List => {
    const changed = list.slice() as List;
    changed[at] = value;
    return changed;
  };
  refused(withPlanes({ feature: change(planes.feature, 5, 4) }));
  refused(withPlanes({ feature: planes.feature.slice(3), weight: planes.weight.slice(3) }));
  for (const weight of [0.3, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 41, -(2 ** -41)])
    refused(withPlanes({ weight: change(planes.weight, 1, weight) }));
  for (const usual of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 81])
    refused(withPlanes({ usual: change(planes.usual, 0, usual) }));
  refused(withPlanes({ usual: planes.usual.slice(1) }));
  refused(withPlanes({ terms: 1 }));
  const { planes: _, ...without } = extended;
  refused(writeOnnx({ forest: without, features: names }));
  refused(
    writeOnnx({
      forest: { ...forest, planes: { ...planes, feature: new Int16Array(0), weight: new Float32Array(0) } },
      features: names,
    }),
  );
});

test('a chain deeper than any tree of ours is refused', () => {
  const depth = 70;
  // Branch, leaf, branch, leaf, …: each right child is the next branch.
  const nodes = 2 * depth + 1;
  const chain: Forest = {
    features: 4,
    scale: -0.1,
    roots: Int32Array.of(0),
    feature: Int32Array.from({ length: nodes }, (_, i) => (i % 2 === 0 && i < nodes - 1 ? 0 : -1)),
    value: new Float32Array(nodes).fill(1),
    right: Int32Array.from({ length: nodes }, (_, i) => (i % 2 === 0 && i < nodes - 1 ? i + 2 : 0)),
  };
  refused(writeOnnx({ forest: chain, features: names }));
  const scored = new Float32Array(1);
  scoreForest(chain, new Float32Array(4), 1, scored);
  assert.ok(scored[0]! > 0, 'it would run, but other runtimes recurse');
});

test('a forest too large to be opened beside readings is refused', () => {
  const fits = trainForest(rows, 400, 4, { trees: 100, samples: 256, seed: 4 });
  assert.ok(readOnnx(writeOnnx({ forest: fits, features: names })));
  const large = trainForest(rows, 400, 4, { trees: 500, samples: 256, seed: 4 });
  assert.throws(() => readOnnx(writeOnnx({ forest: large, features: names })), {
    code: 'EW_MODEL_BUNDLE',
    message: /has \d+ bytes, more than 1048576/,
  });
});
