import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import type { Command, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { namePattern } from '@edgeward/shared/topics';
import { writeBundle } from './bundle.js';
import type { Card } from './card.js';
import { type Training, train } from './training.js';
import { readTrainingTable } from './training-table.js';

export const command: Command = {
  name: 'train',
  summary: 'train a model from CSV files of normal operation',
  examples: [
    'edgeward simulate --type pump --devices 6 --hours 24 --out pump.csv',
    'edgeward train --input pump.csv --type pump --out models/pump',
    'edgeward train --input january.csv --input february.csv --type press --map value=force --out models/press',
  ],
  options: {
    input: {
      type: 'string',
      short: 'i',
      multiple: true,
      placeholder: 'CSV',
      required: true,
      description:
        'normal operation: columns timestamp, numbers, optionally device and fault (or label, anomaly); faulty rows are left out; may be given several times',
    },
    type: {
      type: 'string',
      placeholder: 'TYPE',
      required: true,
      description: 'device type that the model is for',
    },
    out: {
      type: 'string',
      short: 'o',
      placeholder: 'DIR',
      required: true,
      description: 'where the bundle goes',
    },
    name: { type: 'string', placeholder: 'NAME', description: 'name of the model (default: name of DIR)' },
    fields: {
      type: 'string',
      placeholder: 'A,B',
      description: 'only these columns (default: all but the special ones)',
    },
    map: {
      type: 'string',
      multiple: true,
      placeholder: 'COLUMN=FIELD',
      description: 'the field that a column of the CSV holds; may be given several times',
    },
    source: {
      type: 'string',
      placeholder: 'TEXT',
      description: 'what the data is, kept in the card (default: names of the files)',
    },
    seed: { type: 'string', placeholder: 'N', description: 'seed of the trees (default: 1)' },
    trees: { type: 'string', placeholder: 'N', description: 'number of trees, 10 to 1000 (default: 100)' },
    samples: {
      type: 'string',
      placeholder: 'N',
      description: 'rows each tree is grown from, 16 to 4096 (default: 256)',
    },
    smoothing: {
      type: 'string',
      placeholder: 'N',
      description: 'rows a score is averaged over, 1 to 1000 (default: 8)',
    },
    'warm-up': {
      type: 'string',
      placeholder: 'N',
      description:
        'rows of a device before it is scored, 1 to 400 (default: 30); more suits slow processes, whose means take long to settle',
    },
    margin: {
      type: 'string',
      placeholder: 'X',
      description:
        'how far above the highest normal score alarms begin, 0 to 10 times its distance from the median (default: 1); more means fewer false alarms',
    },
    json: { type: 'boolean', description: 'print the card as JSON' },
  },
  async run(values, io) {
    const inputs = listOf(values, 'input');
    const [type, out] = [required(values, 'type'), required(values, 'out')];
    const fields = textOf(values, 'fields')?.split(',');
    const table = await readTrainingTable(inputs, checkedName('type', type), {
      rename: renames(listOf(values, 'map')),
      ...(fields && { fields }),
    });
    const training = train(table, {
      name: checkedName('name', textOf(values, 'name') ?? basename(out)),
      source: textOf(values, 'source') ?? inputs.map(path => basename(path)).join(', '),
      seed: wholeOf(values, 'seed', 1, 0, 2 ** 31 - 1),
      trees: wholeOf(values, 'trees', 100, 10, 1000),
      samples: wholeOf(values, 'samples', 256, 16, 4096),
      smoothingRows: wholeOf(values, 'smoothing', 8, 1, 1000),
      warmUpRows: wholeOf(values, 'warm-up', 30, 1, 400),
      margin: numberOf(values, 'margin', 1, 0, 10),
    });
    await writeBundle(out, training.bundle);
    report(io.stdout, training, out, values.json === true);
    return 0;
  },
};

function report(stdout: Writable, training: Training, out: string, json: boolean): void {
  const { card } = training.bundle;
  stdout.write(json ? `${JSON.stringify(card, null, 2)}\n` : tableOf(training, card, out));
}

function tableOf(training: Training, card: Card, out: string): string {
  const { rows, devices, skippedRows, fromMs, toMs } = card.training;
  const { metrics } = card;
  const lines = [
    ['model', `${card.name} ${card.revision}, for ${card.deviceType}`],
    ['trained on', `${rows} rows of ${devices} devices, ${isoOf(fromMs)} to ${isoOf(toMs)}`],
    ['left out', `${skippedRows} rows labelled as faulty`],
    ['channels', card.fields.join(', ')],
    ['constant, unused', training.constant.join(', ') || 'none'],
    ['threshold', `${card.threshold}, over ${card.smoothingRows} rows`],
    [
      'held-out rows',
      `${metrics.heldOutRows}; highest score ${metrics.highest}, false alarms ${metrics.falseAlarmEpisodes}`,
    ],
    ['written to', out],
  ];
  return lines.map(([what, value]) => `${what!.padEnd(18)}${value}\n`).join('');
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function renames(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map(pair => {
      const match = /^([^=]+)=([^=]+)$/.exec(pair);
      if (match) return [match[1]!, checkedName('map', match[2]!)];
      throw new EdgewardError(
        'EW_USAGE',
        `--map ${pair}: write COLUMN=FIELD, for example value=temperature.`,
      );
    }),
  );
}

function checkedName(option: string, value: string): string {
  if (namePattern.test(value)) return value;
  const detail = `--${option} ${JSON.stringify(value)}: use up to 64 letters, digits, dots, dashes, underscores.`;
  throw new EdgewardError('EW_USAGE', detail);
}

function wholeOf(
  values: CommandValues,
  option: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const value = numberOf(values, option, otherwise, least, most);
  if (Number.isInteger(value)) return value;
  throw new EdgewardError('EW_USAGE', `--${option} ${value}: give a whole number from ${least} to ${most}.`);
}

function numberOf(
  values: CommandValues,
  option: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const text = textOf(values, option);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new EdgewardError('EW_USAGE', `--${option} ${text}: give a number from ${least} to ${most}.`);
}

function required(values: CommandValues, option: string): string {
  const text = textOf(values, option);
  if (text) return text;
  throw new EdgewardError('EW_USAGE', `--${option} is missing.`);
}

function textOf(values: CommandValues, option: string): string | undefined {
  const value = values[option];
  return typeof value === 'string' ? value : undefined;
}

function listOf(values: CommandValues, option: string): readonly string[] {
  const value = values[option];
  if (value === undefined || typeof value === 'boolean') return [];
  return typeof value === 'string' ? [value] : value;
}
