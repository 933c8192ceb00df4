import type { Command, CommandIo, CommandOption, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { listOf, required } from '../command-values.js';
import { writeLines } from '../write-lines.js';
import type { EvaluationKind } from './kind.js';
import { kinds } from './kinds.js';

const ownOptions: Readonly<Record<string, CommandOption>> = {
  data: {
    type: 'string',
    short: 'd',
    multiple: true,
    placeholder: 'DIR',
    required: true,
    description: 'folder with the files of the data set; may be given several times',
  },
  out: {
    type: 'string',
    short: 'o',
    placeholder: 'CSV',
    required: true,
    description: 'where the predictions go; compressed if the name ends in .gz',
  },
};

/** `edgeward evaluate`. */
export const command: Command = {
  name: 'evaluate',
  summary: 'score labelled data sets the way live rows are scored, for a scorer to compare with the labels',
  examples: ['edgeward evaluate tabular --data data/tabular --out predictions.csv.gz'],
  operand: {
    name: 'kind',
    placeholder: 'KIND',
    choices: Object.fromEntries(kinds.map(({ name, summary }) => [name, summary])),
  },
  options: { ...Object.assign({}, ...kinds.map(kind => kind.options)), ...ownOptions },
  run: (values, io) => evaluate(kindOf(values), values, io),
};

function kindOf(values: CommandValues): EvaluationKind {
  const name = required(values, 'kind');
  const kind = kinds.find(known => known.name === name);
  if (!kind) throw new EdgewardError('EW_USAGE', `There is no KIND ${name}.`);
  const known = new Set(['kind', ...Object.keys(ownOptions), ...Object.keys(kind.options)]);
  const foreign = Object.keys(values).find(option => !known.has(option));
  if (foreign === undefined) return kind;
  throw new EdgewardError('EW_USAGE', `--${foreign} is no option of ${name}: leave it out.`);
}

function evaluate(kind: EvaluationKind, values: CommandValues, { stop }: CommandIo): Promise<number> {
  const lines = kind.predict({ folders: listOf(values, 'data'), values });
  return writeLines(required(values, 'out'), kind.columns, lines, stop);
}
