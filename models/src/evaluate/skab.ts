import { alarmsOf, decidingOf, linesOf, seriesOptions, trainingOf } from './channel-series.js';
import type { EvaluationKind } from './kind.js';
import { groupedCsvFilesIn } from './numeric-csv.js';
import { isoTime, readSeries } from './series.js';

/** Of the leaderboard: a model learns from a file's first rows, and answers for the others. */
const trainingRows = 400;

const csv = {
  separator: ';',
  leaveOut: new Set(['anomaly', 'changepoint']),
  time: { column: 'datetime', read: isoTime },
};

/** Skoltech Anomaly Benchmark: a pump with eight sensors at 1 Hz, and one fault a file. */
export const skab: EvaluationKind = {
  name: 'skab',
  summary: 'folders of SKAB files: is the pump in alarm at each row after the 400th?',
  options: seriesOptions,
  columns: ['file', 'row', 'pred'],
  async *predict({ folders, values }) {
    const [deciding, training] = [decidingOf(values), trainingOf(values)];
    for (const { path, name } of await groupedCsvFilesIn(folders)) {
      const alarms = await alarmsOf(path, await readSeries(path, csv), trainingRows, training, deciding);
      yield linesOf(name, alarms, trainingRows);
    }
  },
};
