import path from 'node:path';
import { MetricStream, metricSettings, QuietPeriod } from '../stream/metric-stream.js';
import type { EvaluationKind } from './kind.js';
import { groupedCsvFilesIn } from './numeric-csv.js';
import { isoTime, readSeries, type Series } from './series.js';

const csv = { leaveOut: new Set<string>(), time: { column: 'timestamp', read: isoTime } };

/** Numenta Anomaly Benchmark: single metrics of servers, traffic and machines. */
export const nab: EvaluationKind = {
  name: 'nab',
  summary: 'folders of NAB with data/GROUP/FILE.csv: how surprising is each value of a metric?',
  options: {},
  columns: ['file', 'row', 'score'],
  async *predict({ folders }) {
    for (const file of await groupedCsvFilesIn(folders.map(folder => path.join(folder, 'data')))) {
      yield linesOf(`${file.name}.csv`, await readSeries(file.path, csv));
    }
  },
};

/**
 * The score is above 0.5 where an alarm begins. The rows that the quiet period after it keeps from beginning another
 * have 0.
 */
function linesOf(name: string, { time, values: [metric] }: Series): string {
  const stream = new MetricStream();
  const quiet = new QuietPeriod();
  let lines = '';
  for (let r = 0; r < time.length; r++) {
    const surprise = stream.next(time[r]!, Number(metric![r]));
    const score = surprise / (surprise + metricSettings.threshold);
    const begins = quiet.begins(surprise);
    const told = begins || surprise < metricSettings.threshold ? score : 0;
    lines += `${name},${r},${told.toPrecision(7)}\n`;
  }
  return lines;
}
