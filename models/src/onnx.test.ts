import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import fc from '@edgeward/shared/testing/properties';
import { loadDetector } from './engines.js';
import { type Forest, scoreForest, trainForest } from './isolation-forest.js';
import { readOnnx } from './onnx-reader.js';
import { writeOnnx } from './onnx-writer.js';
import { trainedMachine } from './testing/machine.js';

const random = seededRng(9);
const names = ['a.value', 'b.value', 'c.value', 'd.value'];
const rows = Float32Array.from({ length: 4 * 400 }, random);
const forest = trainForest(rows, 400, 4, { trees: 20, samples: 64, seed: 4 });
const bytes = writeOnnx({ forest, features: names });

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

test('the reader gives back what was written', () => {
  assert.deepEqual(readOnnx(bytes), { forest, features: names });
});

test('both engines give the same scores, also on thresholds, NaN, infinities and beyond 256 rows', async () => {
  const { bundle } = trainedMachine();
  const onnx = await loadDetector(bundle, { engine: 'onnx', log: silentLogger });
  const typescript = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
  const columns = onnx.features.length;
  const n = 700;
  const x = Float32Array.from({ length: n * columns }, (_, i) => {
    if (i % 97 === 0) return Number.NaN;
    if (i % 89 === 0) return i % 2 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    // Exactly a threshold of some branch on that very feature, where there is one.
    const node = (i * 31) % bundle.forest.feature.length;
    return bundle.forest.feature[node] === i % columns ? bundle.forest.value[node]! : 40 * random() - 20;
  });
  const [a, b] = [await onnx.score(x, n), await typescript.score(x, n)];
  assert.equal(a.length, n);
  a.forEach((score, r) => {
    assert.ok(Math.abs(score - b[r]!) <= 1e-6, `row ${r}: ${score} and ${b[r]}`);
  });
  assert.ok(new Set(a).size > 50, 'the rows tell the trees apart');
  await onnx[Symbol.asyncDispose]();
  await onnx[Symbol.asyncDispose]();
  await assert.rejects(onnx.score(x, n), error => hasCode(error, 'EW_STOPPED'));
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
  for (let size = 0; size < bytes.length; size += 13) refused(bytes.subarray(0, size));
});

test('every flipped bit is refused or changes the forest', () => {
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
      const altered = Uint8Array.from(bytes);
      altered[at]! ^= 1 << bit;
      try {
        assert.notDeepEqual(readOnnx(altered), { forest, features: names });
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

test('a chain deeper than any tree of ours is refused', () => {
  const depth = 70;
  // Branch, leaf, branch, leaf, …: each right child is the next branch.
  const nodes = 2 * depth + 1;
  const chain: Forest = {
    features: 4,
    scale: -0.1,
    roots: Int32Array.of(0),
    feature: Int16Array.from({ length: nodes }, (_, i) => (i % 2 === 0 && i < nodes - 1 ? 0 : -1)),
    value: new Float32Array(nodes).fill(1),
    right: Int32Array.from({ length: nodes }, (_, i) => (i % 2 === 0 && i < nodes - 1 ? i + 2 : 0)),
  };
  refused(writeOnnx({ forest: chain, features: names }));
  const scored = new Float32Array(1);
  scoreForest(chain, new Float32Array(4), 1, scored);
  assert.ok(scored[0]! > 0, 'it would run, but other runtimes recurse');
});
