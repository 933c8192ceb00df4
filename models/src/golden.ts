import type { Detector } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Bundle } from './bundle.js';
import type { Golden } from './card.js';

/** Far above what float32 sums in another order differ by, far below any difference that matters. */
const tolerance = 1e-5;

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
  const matrix = new Float32Array(rows.length * into.length);
  rows.forEach((row, r) => {
    columns.forEach((column, c) => {
      matrix[r * into.length + c] = row[column] ?? Number.NaN;
    });
  });
  return matrix;
}
