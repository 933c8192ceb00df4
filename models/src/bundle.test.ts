import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { Tensor } from 'onnxruntime-node';
import { pino } from 'pino';
import { createBundle, readBundle, withSwitching, writeBundle } from './bundle.js';
import { loadDetector, openModel } from './engines.js';
import { verifyGolden } from './golden.js';
import { trainedMachine } from './testing/machine.js';

const { bundle } = trainedMachine();
let folder = '';
let directory = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-bundle-'));
  directory = join(folder, 'machine');
  await writeBundle(directory, bundle);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Changes one file of the bundle and expects it to be refused with words like these. */
async function refusedAfter(file: string, change: (text: string) => string, words: RegExp): Promise<void> {
  const path = join(directory, file);
  const before = await readFile(path, 'latin1');
  const after = change(before);
  assert.notEqual(after, before, 'the test changes something');
  await writeFile(path, after, 'latin1');
  await assert.rejects(readBundle(directory), error => {
    assert.ok(hasCode(error, 'EW_MODEL_BUNDLE'), messageOf(error));
    assert.match(messageOf(error), words);
    return true;
  });
  await writeFile(path, before, 'latin1');
}

test('a bundle comes back as it was written', async () => {
  assert.deepEqual(await readBundle(directory), { ...bundle, onnx: Buffer.from(bundle.onnx) });
});

test('writing again replaces the bundle and leaves nothing beside it', async () => {
  await writeFile(join(directory, 'stray'), 'x');
  await writeBundle(directory, bundle);
  assert.deepEqual((await readdir(directory)).sort(), ['card.json', 'golden.json', 'model.onnx']);
  assert.deepEqual(await readdir(folder), ['machine']);
});

test('a bundle that could not be read is not written, and the one that is there stays', async () => {
  const { format: _f, revision: _r, modelSha256: _s, ...card } = bundle.card;
  const { forest } = bundle;
  // One leaf a tree, and more trees than are read.
  const trees = 5000;
  const leaves = {
    ...forest,
    roots: Int32Array.from({ length: trees }, (_, i) => i),
    feature: new Int32Array(trees).fill(-1),
    value: new Float32Array(trees).fill(1),
    right: new Int32Array(trees),
  };
  await assert.rejects(writeBundle(directory, createBundle(card, leaves, bundle.golden)), error => {
    assert.ok(hasCode(error, 'EW_MODEL_BUNDLE'), messageOf(error));
    assert.match(messageOf(error), /machine was not written, .*impossible trees.*fewer trees/);
    return true;
  });
  assert.deepEqual(await readdir(folder), ['machine']);
  assert.equal((await readBundle(directory)).card.revision, bundle.card.revision);
});

test('altered, missing and foreign parts are refused by name', async () => {
  await refusedAfter('model.onnx', text => text.replace('edgeward', 'edgewart'), /SHA-256/);
  await refusedAfter('card.json', text => text.replace(/"threshold": 0\.\d/, '"threshold": 0.9'), /revision/);
  await refusedAfter('card.json', text => text.replace('"format": 1', '"format": 3'), /card\.json.*format/s);
  await refusedAfter('card.json', text => text.slice(0, 500), /card\.json is not JSON/);
  await refusedAfter('card.json', text => text.replace('"name"', '"nome"'), /nome/);
  await refusedAfter(
    'card.json',
    text => text.replace(/"weights": \[\s*[-\d.e]+,/, '"weights": ['),
    /weights/,
  );
  await refusedAfter('golden.json', text => text.replaceAll('.spread', '.spraed'), /different features/);
  await refusedAfter('golden.json', text => text.replace('\n    [', '\n    [1,'), /wrong length/);
  await rm(join(directory, 'golden.json'));
  await assert.rejects(readBundle(directory), /golden\.json cannot be read/);
  await assert.rejects(readBundle(join(folder, 'nowhere')), error => hasCode(error, 'EW_MODEL_BUNDLE'));
});

test('an oversized part is refused without being read', async () => {
  await writeFile(join(directory, 'golden.json'), Buffer.alloc(5 << 20, 32));
  await assert.rejects(readBundle(directory), /golden\.json cannot be read: it has 5242880 bytes/);
});

test('golden rows find a changed score and swapped columns', async () => {
  const detector = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
  await verifyGolden(detector, bundle);
  const scores = bundle.golden.scores.map((score, r) => (r === 7 ? score + 2e-5 : score));
  await assert.rejects(
    verifyGolden(detector, { ...bundle, golden: { ...bundle.golden, scores } }),
    error => hasCode(error, 'EW_MODEL_GOLDEN') && /golden row 7/.test(error.message),
  );
  const features = [...bundle.golden.features];
  [features[0], features[3]] = [features[3]!, features[0]!];
  await assert.rejects(verifyGolden(detector, { ...bundle, golden: { ...bundle.golden, features } }), error =>
    hasCode(error, 'EW_MODEL_GOLDEN'),
  );
});

test('opening verifies, in either engine', async () => {
  for (const engine of ['onnx', 'typescript'] as const) {
    const model = await openModel(directory, { engine, log: silentLogger });
    assert.equal(model.detector.revision, bundle.card.revision);
    await model.detector[Symbol.asyncDispose]();
  }
  await refuseGolden();
});

async function refuseGolden(): Promise<void> {
  const path = join(directory, 'golden.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/("scores": \[)[\d.]+/, '$10.9'));
  await assert.rejects(openModel(directory, { log: silentLogger }), error =>
    hasCode(error, 'EW_MODEL_GOLDEN'),
  );
}

/** An onnxruntime that knows the golden scores and nothing else. */
function fakeRuntime(off: number) {
  const counts = { runs: 0, released: 0 };
  const session = {
    run: async () => {
      counts.runs += 1;
      return { score: { data: Float32Array.from(bundle.golden.scores, score => score + off) } };
    },
    release: async () => {
      counts.released += 1;
    },
  };
  const runtime = { Tensor, InferenceSession: { create: async () => session } };
  return { counts, runtime: async () => runtime as unknown as typeof import('onnxruntime-node') };
}

const goldenRows = () => Float32Array.from(bundle.golden.rows.flat());

test('auto scores with our own trees once they are worth it and onnxruntime has given the golden scores', async () => {
  const { counts, runtime } = fakeRuntime(0);
  await using detector = await loadDetector(bundle, { log: silentLogger, runtime });
  const n = bundle.golden.scores.length;
  const rows = () => detector.score(goldenRows(), n);
  for (let scored = n; scored < 30_000; scored += n) await rows();
  assert.equal(counts.released, 0);
  const before = counts.runs;
  const together = await Promise.all([rows(), rows(), rows()]);
  assert.equal(counts.released, 1);
  for (const scores of together)
    scores.forEach((score, i) => {
      assert.ok(Math.abs(score - bundle.golden.scores[i]!) < 1e-5);
    });
  const asked = counts.runs - before;
  await rows();
  assert.equal(counts.runs - before, asked, 'onnxruntime is not asked again');
});

test('auto walks few rows itself, and leaves more to onnxruntime', async () => {
  const { counts, runtime } = fakeRuntime(0);
  await using detector = await loadDetector(bundle, { log: silentLogger, runtime });
  const columns = bundle.golden.features.length;
  const asked = counts.runs;
  const scores = await detector.score(goldenRows().subarray(0, 4 * columns), 4);
  assert.equal(counts.runs, asked);
  scores.forEach((score, i) => {
    assert.ok(Math.abs(score - bundle.golden.scores[i]!) < 1e-5);
  });
  await detector.score(goldenRows(), bundle.golden.scores.length);
  assert.equal(counts.runs, asked + 1);
});

test('auto stays with onnxruntime where it gives other scores than our trees', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const { counts, runtime } = fakeRuntime(1e-3);
  await using detector = await loadDetector(bundle, { log, runtime });
  const n = bundle.golden.scores.length;
  for (let scored = 0; scored < 40_000; scored += n) await detector.score(goldenRows(), n);
  assert.equal(counts.released, 0);
  assert.equal(lines.length, 1);
});

test('without onnxruntime, auto warns once and scores in TypeScript; onnx refuses', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const runtime = () => Promise.reject(new Error('no binary for this machine'));
  const detector = await loadDetector(bundle, { log, runtime });
  await verifyGolden(detector, bundle);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /no binary for this machine/);
  await assert.rejects(
    loadDetector(bundle, { engine: 'onnx', log, runtime }),
    error => hasCode(error, 'EW_PACKAGE_MISSING') && /auto or typescript/.test(error.message),
  );
});

test('what a machine is like on and off comes back as it was written, and must fit the model', async () => {
  const state = {
    settleMs: 1000,
    meanMs: 5000,
    center: [1, 2],
    scale: [1, 1],
    usual: [[-1, 1] as [number, number], [-1, 1] as [number, number]],
    judged: [{ channel: 1, weights: [0.5, 0], low: -1, high: 1 }],
  };
  const by = { field: 'flow', off: 5, on: 10 };
  const switching = { fields: ['flow', 'current'], by, states: [state, state] as const, maxGapMs: 60_000 };
  const more = withSwitching(bundle, { ...switching, states: [state, { ...state, settleMs: 2000 }] });
  await writeBundle(directory, more);
  assert.deepEqual((await readBundle(directory)).card, more.card);
  const other = withSwitching(bundle, { ...switching, states: [state, state] });
  assert.equal(new Set([bundle, more, other].map(({ card }) => card.revision)).size, 3);

  const wrong = withSwitching(bundle, { ...switching, fields: ['flow', 'steam'], states: [state, state] });
  await assert.rejects(writeBundle(directory, wrong), /switching has a field that the model has not: steam/);
  const short = { ...state, scale: [1] };
  const unfit = withSwitching(bundle, { ...switching, states: [state, short] });
  await assert.rejects(writeBundle(directory, unfit), /numbers for more fields than there are, or for fewer/);
});
