import { alarmsOf, decidingOf, linesOf, seriesOptions, trainingOf } from './channel-series.js';
import type { EvaluationKind } from './kind.js';
import { csvFilesIn } from './numeric-csv.js';
import { readSeries, unixTime } from './series.js';

/** The first 20 minutes at 1 Hz. */
const trainingRows = 1200;
/** Batches and queues have bad moments that pass by themselves; a fault lasts. */
const holdRows = 45;

const csv = { leaveOut: new Set<string>(), time: { column: 't', read: unixTime } };

/** Metrics of a stream processing job at 1 Hz, in which −1 stands for a value that was not there. */
export const pipeline: EvaluationKind = {
  name: 'pipeline',
  summary: 'metrics of data pipelines, one row a second: is it in alarm at each row after the 1200th?',
  options: seriesOptions,
  columns: ['file', 'row', 'pred'],
  async *predict({ folders, values }) {
    const [deciding, training] = [decidingOf(values), trainingOf(values)];
    for (const { path, name } of await csvFilesIn(folders)) {
      const series = await readSeries(path, csv, -1);
      const alarms = await alarmsOf(path, series, trainingRows, { ...training, holdRows }, deciding);
      yield linesOf(name, alarms, trainingRows);
    }
  },
};
