import { wholeOf } from '../command-values.js';
import { scoreCompiled } from '../compiled-forest.js';
import { featuresASplitOf, forestOptions } from '../forest-option.js';
import { type ForestOptions, trainForest } from '../isolation-forest.js';
import type { EvaluationKind } from './kind.js';
import { csvFilesIn, type NumericTable, readNumericCsv, refusal } from './numeric-csv.js';

/** Of Liu, Ting, Zhou 2008. */
const [trees, samples] = [100, 256];
const labels: ReadonlySet<string> = new Set(['label']);
const rowsAPiece = 4096;

/** A forest on rows without order in time, as in its paper: fitted on all rows, without labels, and scoring the same rows. */
export const tabular: EvaluationKind = {
  name: 'tabular',
  summary: 'tables of columns f0, f1, … and label: how unusual is a row among the others?',
  options: {
    ...forestOptions,
    seeds: {
      type: 'string',
      placeholder: 'N',
      description: 'forests for each file, grown from seeds 1 to N, 1 to 100 (default: 10)',
    },
  },
  columns: ['dataset', 'seed', 'row', 'score'],
  async *predict({ folders, values }) {
    const seeds = wholeOf(values, 'seeds', 10, 1, 100);
    const featuresASplit = featuresASplitOf(values);
    for (const { path, name } of await csvFilesIn(folders)) {
      const table = await readNumericCsv(path, labels);
      if (table.rows < 2) throw refusal(`${path} has ${table.rows} rows; a forest needs at least 2.`);
      for (let seed = 1; seed <= seeds; seed++)
        yield* linesOf(`${name},${seed}`, scoresOf(table, { trees, samples, seed, featuresASplit }));
    }
  },
};

function scoresOf({ x, rows, columns }: NumericTable, options: ForestOptions): Float32Array {
  return scoreCompiled(trainForest(x, rows, columns.length, options), x);
}

/** Nine digits bring back the same float32. */
function* linesOf(head: string, scores: Float32Array): Generator<string> {
  for (let from = 0; from < scores.length; from += rowsAPiece) {
    let piece = '';
    for (let r = from; r < Math.min(from + rowsAPiece, scores.length); r++)
      piece += `${head},${r},${scores[r]!.toPrecision(9)}\n`;
    yield piece;
  }
}
