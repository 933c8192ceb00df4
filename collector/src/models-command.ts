import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, type CommandIo, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { modelFilePattern, modelLimits } from '@edgeward/shared/models/manifest';
import { z } from 'zod';
import { assignedView, bundleView, modelsView } from './api/model-schemas.js';
import { ApiClient } from './api-client.js';
import { collectorConfig } from './config.js';
import { modelsText } from './models/text.js';

/** `edgeward models`. */
export const command: Command = {
  name: 'models',
  summary: 'Show which models gateways run; give them another one, or the one before',
  examples: [
    'edgeward models -c collector.yaml',
    'edgeward models -c collector.yaml --add models/press --assign press=3f2a9c01b7d4',
    'edgeward models -c collector.yaml --assign press=3f2a9c01b7d4 --gateway press-1 --shadow',
    'edgeward models -c collector.yaml --rollback press',
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
        'with --assign: first beside the active model, by the rules of shadow in the configuration',
    },
    json: { type: 'boolean', description: 'print {"bundles", "assignments", "gateways", "notes"} as JSON' },
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
  json: z.boolean().default(false),
});
type Values = z.output<typeof optionsSchema>;

/** Exit code 0 = done; what failed is thrown, with what came before it done. */
async function runModels(values: Values, { stdout, stop }: CommandIo): Promise<number> {
  const { api } = await loadConfig(values.config, collectorConfig);
  const assigns = values.assign.map(parseAssign);
  const client = await ApiClient.of(api, stop);
  const notes = [...(await add(client, values)), ...(await assign(client, values, assigns))];
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
    if (size > modelLimits.maxFileBytes) throw refuse(`${name} has ${size} bytes`);
    files.push({ name, base64: (await readFile(file)).toString('base64') });
    bytes += size;
    if (bytes > modelLimits.maxBundleBytes)
      throw refuse(`its files have more than ${modelLimits.maxBundleBytes} bytes`);
  }
  return files;
}
