import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import { type Command, type CommandIo, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { detailOf, EdgewardError, type ErrorCode, messageOf } from '@edgeward/shared/errors';
import { modelFilePattern, modelLimits } from '@edgeward/shared/models/manifest';
import { z } from 'zod';
import { assignedView, bundleView, modelsView, trainingView } from './api/model-schemas.js';
import { ApiClient } from './api-client.js';
import { collectorConfig } from './config.js';
import { modelsText } from './models/text.js';
import { trainingText } from './training/text.js';

const pollMs = 300;

/** `edgeward models`. */
export const command: Command = {
  name: 'models',
  summary: 'Show which models gateways run; give them another one, or the one before',
  examples: [
    'edgeward models -c collector.yaml',
    'edgeward models -c collector.yaml --add models/press --assign press=3f2a9c01b7d4',
    'edgeward models -c collector.yaml --assign press=3f2a9c01b7d4 --gateway press-1 --shadow',
    'edgeward models -c collector.yaml --rollback press',
    'edgeward models -c collector.yaml --train press --hours 168 --shadow',
  ],
  options: {
    config: configFileOption,
    add: {
      type: 'string',
      placeholder: 'DIR',
      multiple: true,
      description: 'hand the collector the model bundle in this folder; nobody runs it yet',
    },
    assign: {
      type: 'string',
      placeholder: 'TYPE=REV',
      multiple: true,
      description: 'have gateways run this revision for devices of this type',
    },
    rollback: {
      type: 'string',
      placeholder: 'TYPE',
      multiple: true,
      description: 'have them run what was assigned before, or else what they have configured',
    },
    gateway: {
      type: 'string',
      placeholder: 'NAME',
      description: 'only this one; without it, all that have no assignment of their own',
    },
    shadow: {
      type: 'boolean',
      description:
        'with --assign: first beside the active model, by the rules of shadow in the configuration; with --train: the same with what comes of it, for all gateways',
    },
    train: {
      type: 'string',
      placeholder: 'TYPE',
      multiple: true,
      description:
        "train a model for this device type from what the collector's journal has, and wait for it; with --shadow, gateways then try it",
    },
    hours: {
      type: 'string',
      placeholder: 'N',
      description: 'with --train: only rows of the last so many hours',
    },
    method: {
      type: 'string',
      placeholder: 'METHOD',
      description: 'with --train: channels or forest, as with edgeward train',
    },
    'accept-change': {
      type: 'boolean',
      description: 'with --train: learn even if the last fifth of the rows is unlike the rest',
    },
    json: {
      type: 'boolean',
      description: 'print {"bundles", "assignments", "gateways", "trainings", "notes"} as JSON',
    },
  },
  run: (values, io) => runModels(optionsSchema.parse(values), io),
};

const optionsSchema = z.object({
  config: z.string(),
  add: z.array(z.string()).default([]),
  assign: z.array(z.string()).default([]),
  rollback: z.array(z.string()).default([]),
  gateway: z.string().optional(),
  shadow: z.boolean().default(false),
  train: z.array(z.string()).default([]),
  hours: z.string().optional(),
  method: z.string().optional(),
  'accept-change': z.boolean().default(false),
  json: z.boolean().default(false),
});
type Values = z.output<typeof optionsSchema>;

/** Exit code 0 = done; what failed is thrown, with what came before it done. */
async function runModels(values: Values, { stdout, stop }: CommandIo): Promise<number> {
  const { api } = await loadConfig(values.config, collectorConfig);
  const assigns = values.assign.map(parseAssign);
  const orders = trainingOrders(values);
  const client = await ApiClient.of(api, stop);
  const notes = [
    ...(await add(client, values)),
    ...(await train(client, values, orders, stop)),
    ...(await assign(client, values, assigns)),
  ];
  for (const type of values.rollback) {
    const { revision } = await client.post('/api/models/rollback', assignedView, targetOf(type, values));
    notes.push(`${type}: rolled back to ${revision ?? 'what gateways have configured'}.`);
  }
  const view = await client.get('/api/models', modelsView);
  stdout.write(values.json ? `${JSON.stringify({ ...view, notes }, null, 2)}\n` : modelsText(view, notes));
  return 0;
}

async function add(client: ApiClient, { add: folders }: Values): Promise<string[]> {
  const notes: string[] = [];
  for (const folder of folders) {
    const files = await filesOf(folder);
    const { type, revision, bytes } = await client.post('/api/models/bundles', bundleView, { files });
    notes.push(`${folder}: added as ${type}=${revision}, ${bytes} bytes.`);
  }
  return notes;
}

/** One after the other, each until it has ended. @throws why nothing came of one */
async function train(
  client: ApiClient,
  { train: types }: Values,
  orders: readonly object[],
  stop: AbortSignal,
): Promise<string[]> {
  const notes: string[] = [];
  for (const [i, order] of orders.entries()) {
    const { startedMs } = await client.post('/api/models/train', trainingView, order);
    const ended = await endOf(client, types[i]!, startedMs, stop);
    if (ended.text !== null && ended.code !== null)
      throw new EdgewardError(ended.code as ErrorCode, detailOf(ended.code as ErrorCode, ended.text));
    notes.push(trainingText(ended));
  }
  return notes;
}

async function endOf(client: ApiClient, type: string, startedMs: number | null, stop: AbortSignal) {
  for (;;) {
    const { trainings } = await client.get('/api/models', modelsView);
    const one = trainings.find(training => training.type === type);
    if (!one || one.startedMs !== startedMs)
      throw new EdgewardError('EW_TRAIN_FAILED', `${type}: another training was begun meanwhile.`);
    if (one.state !== 'running') return one;
    await systemClock.sleep(pollMs, stop);
  }
}

function trainingOrders(values: Values): object[] {
  const { train: types, hours, method, shadow, gateway } = values;
  const own = {
    '--hours': hours,
    '--method': method,
    '--accept-change': values['accept-change'] || undefined,
  };
  const given = Object.entries(own).find(([, value]) => value !== undefined);
  if (types.length === 0 && given) throw usage(`${given[0]} is for --train: name a device type with it.`);
  if (types.length > 0 && gateway !== undefined)
    throw usage('--gateway is not for --train: assign what comes of it with --assign.');
  if (hours !== undefined && !(Number(hours) > 0)) throw usage(`--hours ${hours}: give a number above 0.`);
  return types.map(type => ({
    type,
    assign: shadow,
    acceptChange: values['accept-change'],
    ...(hours !== undefined && { hours: Number(hours) }),
    ...(method !== undefined && { method }),
  }));
}

function usage(detail: string): EdgewardError {
  return new EdgewardError('EW_USAGE', detail);
}

async function assign(
  client: ApiClient,
  values: Values,
  assigns: readonly (readonly [string, string])[],
): Promise<string[]> {
  const { shadow } = values;
  const notes: string[] = [];
  for (const [type, revision] of assigns) {
    await client.post('/api/models/assign', assignedView, { ...targetOf(type, values), revision, shadow });
    notes.push(`${type}: ${revision} is assigned to ${values.gateway ?? 'all gateways'}.`);
  }
  return notes;
}

function targetOf(type: string, { gateway }: Values) {
  return { type, ...(gateway !== undefined && { gateway }) };
}

function parseAssign(text: string): readonly [string, string] {
  const [type, revision, ...more] = text.split('=');
  if (type && revision && more.length === 0) return [type, revision];
  throw new EdgewardError('EW_USAGE', `--assign ${text}: write it like --assign press=3f2a9c01b7d4.`);
}

/** What is in a bundle's folder; limits are looked at before anything is read. */
async function filesOf(folder: string): Promise<{ name: string; base64: string }[]> {
  const refuse = (what: string, cause?: unknown) =>
    new EdgewardError('EW_MODEL_BUNDLE', `${folder}: ${what}. Name the folder of a bundle.`, { cause });
  const names = await readdir(folder).catch((error: unknown) => {
    throw refuse(`cannot be read: ${messageOf(error)}`, error);
  });
  const files: { name: string; base64: string }[] = [];
  let bytes = 0;
  if (names.length > modelLimits.maxFiles) throw refuse(`holds ${names.length} files`);
  for (const name of names.sort()) {
    const file = path.join(folder, name);
    const { size } = await stat(file);
    if (!modelFilePattern.test(name)) throw refuse(`${name} is no file of a bundle`);
    const most = name === 'model.onnx' ? modelLimits.maxModelBytes : modelLimits.maxFileBytes;
    if (size > most) throw refuse(`${name} has ${size} bytes, more than ${most}`);
    files.push({ name, base64: (await readFile(file)).toString('base64') });
    bytes += size;
    if (bytes > modelLimits.maxBundleBytes)
      throw refuse(`its files have more than ${modelLimits.maxBundleBytes} bytes`);
  }
  return files;
}
