import type { Detector } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Bundle } from './bundle.js';
import type { Golden } from './card.js';
import { type Forest, scoreMatrix } from './isolation-forest.js';
import { rounded } from './statistics.js';

/** Far above what float32 sums in another order differ by, far below any difference that matters. */
const tolerance = 1e-5;
const goldenRows = 64;

/**
 * Scores the golden rows again. Columns are matched by name, so a detector whose columns were swapped is found.
 * @throws EW_MODEL_GOLDEN naming the first row that differs
 */
export async function verifyGolden(detector: Detector, bundle: Bundle): Promise<void> {
  const { rows, scores, features } = bundle.golden;
  const found = await detector.score(matrixOf(rows, features, detector.features), rows.length);
  scores.forEach((expected, r) => {
    const off = Math.abs(found[r]! - expected);
    if (off <= tolerance) return;
    const detail = `${bundle.card.name} ${bundle.card.revision}: golden row ${r} scores ${found[r]} instead of ${expected}. Train or copy the bundle again.`;
    throw new EdgewardError('EW_MODEL_GOLDEN', detail);
  });
}

function matrixOf(rows: Golden['rows'], from: readonly string[], into: readonly string[]): Float32Array {
  const columns = into.map(name => from.indexOf(name));
  return Float32Array.from(rows.flatMap(row => columns.map(column => row[column] ?? Number.NaN)));
}

/** Rows from the least to the most anomalous, so that many paths through the trees are walked. */
export function goldenOf(forest: Forest, features: readonly string[], x: Float32Array): Golden {
  const scores = scoreMatrix(forest, x);
  const order = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const picked = Array.from(
    { length: goldenRows },
    (_, i) => order[Math.floor((i * (order.length - 1)) / (goldenRows - 1))]!,
  );
  const row = (r: number) => [...x.subarray(r * features.length, (r + 1) * features.length)];
  return {
    format: 1,
    features: [...features],
    // Nine digits bring back the same float32.
    rows: picked.map(r => row(r).map(value => rounded(value, 9))),
    scores: picked.map(r => rounded(scores[r]!)),
  };
}
