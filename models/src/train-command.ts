import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import type { Command, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { writeBundle } from './bundle.js';
import type { Card } from './card.js';
import {
  checkedName,
  choiceOf,
  listOf,
  mapOption,
  numberOf,
  renames,
  required,
  textOf,
  wholeOf,
} from './command-values.js';
import { featuresASplitOf, forestOptions } from './forest-option.js';
import { thresholdText } from './stream/channel-bundle.js';
import type { ChannelPlan } from './stream/channel-plan.js';
import {
  type Method,
  type TableTrainingOptions,
  type Trained,
  trainTable,
  usualMethod,
  usualTraining,
} from './train-table.js';
import type { TrainingOptions } from './training.js';
import { readTrainingTable, type TrainingTable } from './training-table.js';

/** About 2.4 GB of memory at 8 columns. */
const usualMaxRows = 2_000_000;

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
    map: mapOption,
    source: {
      type: 'string',
      placeholder: 'TEXT',
      description: 'what the data is, kept in the card (default: names of the files)',
    },
    method: {
      type: 'string',
      placeholder: 'METHOD',
      description:
        'channels: several channels in views of several lengths and a forest; forest: a forest over features of each channel (default: channels if there are several, unless an option of forest is given)',
    },
    'alarms-a-day': {
      type: 'string',
      placeholder: 'X',
      description:
        'method channels: false alarms a day and device that may be, as far as the rows can tell, 0.0001 to 100 (default: 0.1)',
    },
    hold: {
      type: 'string',
      placeholder: 'N',
      description:
        'method channels: rows in a row that must be unusual before an alarm begins, 1 to 10000 (default: 1)',
    },
    'accept-change': {
      type: 'boolean',
      description: 'method channels: learn even if the last fifth of the record is unlike the rest of it',
    },
    'no-switching': {
      type: 'boolean',
      description:
        'do not learn what a machine that is switched on and off by turns is like in either state (default: learn it where the record holds 60 switches)',
    },
    'label-free': {
      type: 'boolean',
      description: 'do not look at a column fault, label or anomaly: learn from all rows',
    },
    'max-rows': {
      type: 'string',
      placeholder: 'N',
      description: `refuse more rows than this: training takes some 1.2 kB of memory a row at 8 columns (default: ${usualMaxRows})`,
    },
    ...forestOptions,
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
    contamination: {
      type: 'string',
      placeholder: 'X',
      description:
        'instead of --margin, where the data is known to hold faults: alarms begin where this share of its rows lies above, 0 to 0.5',
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
      labelFree: values['label-free'] === true,
      maxRows: wholeOf(values, 'max-rows', usualMaxRows, 1000, 100_000_000),
    });
    const method = methodOf(values, table);
    const trained = trainTable(table, { method, ...settingsOf(values, method) });
    await writeBundle(out, trained.bundle);
    report(io.stdout, trained, out, values.json === true);
    return 0;
  },
};

/** Options that say something to one method only. */
const optionsOf: Readonly<Record<Method, readonly string[]>> = {
  channels: ['alarms-a-day', 'hold', 'accept-change'],
  forest: ['forest', 'split-features', 'smoothing', 'warm-up', 'margin', 'contamination'],
};

/** @throws EW_USAGE for options of the other method */
function methodOf(values: CommandValues, { batch }: TrainingTable): Method {
  const named = values.method === undefined ? undefined : choiceOf(values, 'method', ['channels', 'forest']);
  const meant = optionsOf.forest.some(option => values[option] !== undefined) ? 'forest' : undefined;
  const method = named ?? meant ?? usualMethod(batch);
  const foreign = optionsOf[method === 'forest' ? 'channels' : 'forest'].find(
    option => values[option] !== undefined,
  );
  if (foreign === undefined) return method;
  const detail = `--${foreign} is no option of --method ${method}: leave it out, or choose the other method.`;
  throw new EdgewardError('EW_USAGE', detail);
}

function settingsOf(values: CommandValues, method: Method): TableTrainingOptions {
  const inputs = listOf(values, 'input');
  const usual = usualTraining;
  const common = {
    name: checkedName('name', textOf(values, 'name') ?? basename(required(values, 'out'))),
    source: textOf(values, 'source') ?? inputs.map(path => basename(path)).join(', '),
    seed: wholeOf(values, 'seed', usual.seed, 0, 2 ** 31 - 1),
    trees: wholeOf(values, 'trees', usual.trees, 10, 1000),
    samples: wholeOf(values, 'samples', usual.samples, 16, 4096),
    switching: values['no-switching'] !== true,
  };
  if (method === 'channels')
    return {
      ...common,
      alarmsADay: numberOf(values, 'alarms-a-day', usual.alarmsADay, 1e-4, 100),
      holdRows: wholeOf(values, 'hold', usual.holdRows, 1, 10_000),
      acceptChange: values['accept-change'] === true,
    };
  return {
    ...common,
    featuresASplit: featuresASplitOf(values),
    smoothingRows: wholeOf(values, 'smoothing', usual.smoothingRows, 1, 1000),
    warmUpRows: wholeOf(values, 'warm-up', usual.warmUpRows, 1, 400),
    margin: numberOf(values, 'margin', usual.margin, 0, 10),
    ...contaminationOf(values),
  };
}

function contaminationOf(values: CommandValues): Pick<TrainingOptions, 'contamination'> {
  if (values.contamination === undefined) return {};
  if (values.margin === undefined) return { contamination: numberOf(values, 'contamination', 0, 0, 0.5) };
  throw new EdgewardError('EW_USAGE', '--contamination and --margin both say where alarms begin: give one.');
}

function report(stdout: Writable, trained: Trained, out: string, json: boolean): void {
  const { card } = trained.bundle;
  stdout.write(json ? `${JSON.stringify(card, null, 2)}\n` : tableOf(trained, card, out));
}

function tableOf({ unused }: Trained, card: Card, out: string): string {
  const { rows, devices, skippedRows, fromMs, toMs } = card.training;
  const { metrics } = card;
  const lines = [
    ['model', `${card.name} ${card.revision}, for ${card.deviceType}`],
    ['trained on', `${rows} rows of ${devices} devices, ${isoOf(fromMs)} to ${isoOf(toMs)}`],
    ['left out', `${skippedRows} rows labelled as faulty`],
    ['channels', channelsText(card)],
    ['on and off', card.switching ? `told by ${card.switching.by.field}` : 'no switching machine'],
    ['unused', unused.join(', ') || 'none'],
    [
      'threshold',
      card.format === 1 ? `${card.threshold}, over ${card.smoothingRows} rows` : thresholdText(card),
    ],
    [
      'held-out rows',
      `${metrics.heldOutRows}; highest score ${metrics.highest}, false alarms ${metrics.falseAlarmEpisodes}`,
    ],
    ['written to', out],
  ];
  return lines.map(([what, value]) => `${what!.padEnd(18)}${value}\n`).join('');
}

/** With how each is looked at, where that is not as its value. */
function channelsText(card: Card): string {
  if (card.format === 1) return card.fields.join(', ');
  const how = ({ field, take, role }: ChannelPlan) => {
    const words = [...(take === 'increase' ? ['counter'] : []), ...(role === 'steady' ? [] : [role])];
    return words.length > 0 ? `${field} (${words.join(', ')})` : field;
  };
  return card.channels.plan.map(how).join(', ');
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
