/** What a forest costs: 100 trees of 256 rows, 16 features; training from 100,000 rows, scoring 256 rows a call. */
import path from 'node:path';
import { type Bundle, createBundle, readBundle } from '@edgeward/models/bundle';
import { asForestCard } from '@edgeward/models/card';
import { loadDetector } from '@edgeward/models/engines';
import { featureNames } from '@edgeward/models/feature-spec';
import { goldenOf } from '@edgeward/models/golden';
import { type Forest, scoreForest, trainForest } from '@edgeward/models/isolation-forest';
import { silentLogger } from '@edgeward/shared/log';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { root } from '../support/root.js';
import type { Figure } from './figures.js';
import { spreadOf } from './statistics.js';

const [features, trainingRows, batchRows] = [16, 100_000, 256];
const rounds = 7;
/** CPU time is counted in steps; so much of it makes one measurement, µs. */
const measuredUs = 300_000;

/** Must of the plain forest; the aim is 2.5 µs for our own engine and 0.1 s for training. */
const goals = { onnxUs: 5, ownUs: 2.5, trainMs: 500, difference: 1e-5 };

export async function forestFigures(): Promise<Figure[]> {
  const x = machineRows();
  return [...(await figuresOf('plain forest', 1, x)), ...(await figuresOf('extended forest', 2, x))];
}

async function figuresOf(name: string, featuresASplit: number, x: Float32Array): Promise<Figure[]> {
  const training = trainings(x, featuresASplit);
  const goal = (atMost: number) => (featuresASplit === 1 ? { goal: { atMost } } : {});
  const bundle = await bundleOf(training.forest, x);
  const scoring = await scorings(bundle, x);
  return [
    {
      name: `${name}, training, first in its process: CPU ms`,
      ...goal(goals.trainMs),
      measured: training.firstMs,
    },
    { name: `${name}, training: CPU ms`, ...goal(goals.trainMs), measured: training.medianMs },
    { name: `${name}, onnxruntime: CPU µs a row`, ...goal(goals.onnxUs), measured: scoring.onnxUs },
    { name: `${name}, compiled: CPU µs a row`, ...goal(goals.ownUs), measured: scoring.ownUs },
    { name: `${name}, walked in TypeScript: CPU µs a row`, measured: scoring.walkedUs },
    {
      name: `${name}, largest difference of the engines, of ${trainingRows} rows`,
      goal: { atMost: goals.difference },
      measured: scoring.difference,
    },
    { name: `${name}: bytes of model.onnx`, measured: bundle.onnx.length },
  ];
}

function trainings(x: Float32Array, featuresASplit: number) {
  const forests: Forest[] = [];
  const times = Array.from({ length: rounds }, (_, i) => {
    const begun = process.cpuUsage();
    forests.push(
      trainForest(x, trainingRows, features, { trees: 100, samples: 256, seed: i + 1, featuresASplit }),
    );
    return usSince(begun) / 1000;
  });
  return { forest: forests[0]!, firstMs: times[0]!, medianMs: spreadOf(times.slice(1)).median };
}

/** Round after round of every engine; the first one only warms up. */
async function scorings(bundle: Bundle, x: Float32Array) {
  const onnx = await loadDetector(bundle, { engine: 'onnx', log: silentLogger });
  const own = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
  const walk = async (rows: Float32Array, n: number) => {
    const scores = new Float32Array(n);
    scoreForest(bundle.forest, rows, n, scores);
    return scores;
  };
  const engines = {
    onnxUs: (rows: Float32Array, n: number) => onnx.score(rows, n),
    ownUs: (rows: Float32Array, n: number) => own.score(rows, n),
    walkedUs: walk,
  };
  const runs = { onnxUs: [] as number[], ownUs: [] as number[], walkedUs: [] as number[] };
  for (let round = 0; round <= rounds; round++)
    for (const name of ['onnxUs', 'ownUs', 'walkedUs'] as const) {
      const us = await usARow(engines[name], x);
      if (round > 0) runs[name].push(us);
    }
  const [a, b] = [await onnx.score(x, trainingRows), await own.score(x, trainingRows)];
  await Promise.all([onnx, own].map(detector => detector[Symbol.asyncDispose]()));
  const medianOf = (name: keyof typeof runs) => spreadOf(runs[name]).median;
  return {
    onnxUs: medianOf('onnxUs'),
    ownUs: medianOf('ownUs'),
    walkedUs: medianOf('walkedUs'),
    difference: a.reduce((most, score, r) => Math.max(most, Math.abs(score - b[r]!)), 0),
  };
}

async function usARow(
  score: (rows: Float32Array, n: number) => Promise<Float32Array>,
  x: Float32Array,
): Promise<number> {
  const begun = process.cpuUsage();
  let rows = 0;
  for (let at = 0; usSince(begun) < measuredUs; at = (at + batchRows) % (trainingRows - batchRows)) {
    await score(x.subarray(at * features, (at + batchRows) * features), batchRows);
    rows += batchRows;
  }
  return usSince(begun) / rows;
}

function usSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

/** Channels that follow a load and one another, each on its own scale; one row in a hundred is off. */
function machineRows(): Float32Array {
  const rng = seededRng(1);
  const random = gaussian(rng);
  const x = new Float32Array(trainingRows * features);
  for (let r = 0; r < trainingRows; r++) {
    const load = Math.sin(r / 500) + 0.1 * random();
    const off = rng() < 0.01 ? Math.floor(rng() * features) : -1;
    for (let f = 0; f < features; f++) {
      const value = (f % 3) * load + random() * (1 + (f % 4)) + (f === off ? 8 * random() : 0);
      x[r * features + f] = 10 ** ((f % 5) - 2) * value;
    }
  }
  return x;
}

/** With a card of a shipped one; only its features matter here. */
async function bundleOf(forest: Forest, x: Float32Array): Promise<Bundle> {
  const shipped = await readBundle(path.join(root, 'models', 'bundles', 'cold-room'));
  const { format: _format, revision: _revision, modelSha256: _sha256, ...card } = asForestCard(shipped.card);
  const { weights: _weights, ...channel } = card.features.channels[0]!;
  const channels = Array.from({ length: features }, (_, f) => ({
    ...channel,
    field: `f${f}`,
    features: ['value' as const],
  }));
  const spec = { ...card.features, channels };
  return createBundle(
    { ...card, features: spec },
    forest,
    goldenOf(forest, featureNames(spec), x.subarray(0, 1000 * features)),
  );
}
