import type { Command } from '@edgeward/shared/command';
import type { ChannelEvidence, Evidence, RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { choiceOf, listOf, mapOption, renames, required } from './command-values.js';
import { engineNames, openModel } from './engines.js';
import { type Judge, judgeBy } from './judge.js';
import type { Judgement } from './judgement.js';
import { sliceBatch } from './slice-batch.js';
import { readTrainingTable } from './training-table.js';
import { writeLines } from './write-lines.js';

/** As a gateway would read them: some now, some later. */
const rowsABatch = 256;
const columns = ['file', 'row', 'timestamp', 'device', 'score', 'anomaly', 'warm_up', 'reasons'];

/** `edgeward score`. */
export const command: Command = {
  name: 'score',
  summary: 'score CSV files by a model, row by row as a gateway does',
  examples: ['edgeward score --model models/press --input march.csv --out scores.csv'],
  options: {
    model: {
      type: 'string',
      short: 'm',
      placeholder: 'DIR',
      required: true,
      description: 'folder of the model bundle',
    },
    input: {
      type: 'string',
      short: 'i',
      multiple: true,
      placeholder: 'CSV',
      required: true,
      description:
        'rows in order of time: columns timestamp, those of the model, optionally device; may be given several times',
    },
    out: {
      type: 'string',
      short: 'o',
      placeholder: 'CSV',
      required: true,
      description: 'where the scores go; compressed if the name ends in .gz',
    },
    map: mapOption,
    engine: {
      type: 'string',
      placeholder: 'ENGINE',
      description: `what runs the forest: ${engineNames.join(', ')} (default: auto)`,
    },
  },
  async run(values, { stop }) {
    const engine = choiceOf(values, 'engine', engineNames);
    const model = await openModel(required(values, 'model'), { engine, log: silentLogger });
    await using _detector = model.detector;
    const lines = scoreFiles(judgeBy(model), listOf(values, 'input'), renames(listOf(values, 'map')));
    return await writeLines(required(values, 'out'), columns, lines, stop);
  },
};

async function* scoreFiles(
  judge: Judge,
  paths: readonly string[],
  rename: ReadonlyMap<string, string>,
): AsyncGenerator<string> {
  const { deviceType, fields } = judge.model.bundle.card;
  for (const path of paths) {
    const { batch } = await readTrainingTable([path], deviceType, { fields, rename, labelFree: true });
    for (let from = 0; from < batch.time.length; from += rowsABatch) {
      const rows = sliceBatch(batch, from, Math.min(batch.time.length, from + rowsABatch));
      yield linesOf(path, from, rows, await judge.judge(rows));
    }
  }
}

function linesOf(path: string, first: number, batch: RecordBatch, judgement: Judgement): string {
  const { score, anomaly, warmUp } = judgement;
  const reasons = new Map(judgement.evidence.map(one => [one.at, reasonsOf(one)]));
  let lines = '';
  for (let r = 0; r < score.length; r++) {
    const device = batch.schema.devices[batch.device[r]!]!.slice(path.length + 1);
    const cells = [
      quoted(path),
      first + r,
      new Date(batch.time[r]!).toISOString(),
      quoted(device),
      Number.isNaN(score[r]!) ? '' : score[r]!.toPrecision(7),
      anomaly[r],
      warmUp[r],
      quoted(reasons.get(r) ?? ''),
    ];
    lines += `${cells.join()}\n`;
  }
  return lines;
}

/** For example `flow low 31.2 (34 to 38) 64 %; pressure high …`. */
function reasonsOf({ channels }: Evidence): string {
  const text = ({ field, direction, value, expected, weight }: ChannelEvidence) => {
    const usual = expected ? ` (${expected[0]} to ${expected[1]})` : '';
    return `${field} ${direction} ${value ?? 'missing'}${usual} ${Math.round(100 * weight)} %`;
  };
  return channels.map(text).join('; ');
}

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
