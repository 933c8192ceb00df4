/** What is known of faults: symptoms, and what they point to. YAML files, ours and those of the user. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '@edgeward/shared/config/load';
import { EdgewardError } from '@edgeward/shared/errors';
import { z } from 'zod';
import { changeKinds } from '../changes/change.js';

const text = (most: number) => z.string().min(1).max(most);
const chance = z.number().min(0.01).max(0.99);

/** `motor current|compressor current`: any of them, as whole words within a channel's name. */
const words = text(200).regex(/^[a-z0-9 ]+(\|[a-z0-9 ]+)*$/, {
  error: 'words in lower case, alternatives separated by |',
});

const manners = [
  'high',
  'low',
  'shifted',
  'scaled',
  'usual',
  'jumping',
  'noisy',
  'stuck',
  'outOfRange',
] as const;
export type Manner = (typeof manners)[number];

const symptomSchema = z
  .strictObject({
    channel: words
      .optional()
      .meta({ description: 'Channel by words of its name; without it, the most telling one' }),
    is: z.enum(manners).optional().meta({ description: 'What it shows against its own past' }),
    before: words.optional().meta({
      description: 'It left what is usual for it before this channel of the device did',
    }),
    first: z.literal(true).optional().meta({
      description: 'It left what is usual for it before all other channels of the device',
    }),
    changed: z
      .string()
      .regex(new RegExp(`^(${changeKinds.join('|')})(\\|(${changeKinds.join('|')}))*$`), {
        error: `${changeKinds.join(', ')}, alternatives separated by |`,
      })
      .optional()
      .meta({ description: 'What changed at the gateway or device before it began' }),
    withinMin: z
      .number()
      .min(1)
      .max(1440)
      .optional()
      .meta({ description: 'changed: at most so many minutes before (15)' }),
    how: z.enum(['step', 'ramp']).optional().meta({ description: 'How it got there' }),
    by: z.number().min(2).max(1000).optional().meta({
      description:
        'high, low, shifted: half widths of what it showed before, from where it shows clearly (2.8)',
    }),
    of: words.optional().meta({ description: 'On another device of this type at the same gateway' }),
    often: chance.default(0.85).meta({ description: 'In what share of such faults it shows' }),
    else: chance.default(0.1).meta({ description: 'In what share of other troubles it shows' }),
  })
  .superRefine((symptom, issues) => {
    for (const [field, problem] of symptomFaults(symptom))
      issues.addIssue({ code: 'custom', path: field === '' ? [] : [field], message: problem });
  });
export type Symptom = z.output<typeof symptomSchema>;

const kindsOfSymptom = ['is', 'before', 'first', 'changed'] as const;
/** What only some kinds of symptoms have. */
const parts = {
  how: ['is'],
  by: ['is'],
  withinMin: ['changed'],
  channel: ['is', 'before', 'first'],
} as const;

/** What has no meaning together, by field. */
function symptomFaults(symptom: Partial<Symptom>): [string, string][] {
  const kinds = kindsOfSymptom.filter(kind => symptom[kind] !== undefined);
  const faults: [string, string][] = [];
  if (kinds.length !== 1)
    faults.push(['', `a symptom has one of: ${kindsOfSymptom.join(', ')}. Remedy: add or remove one`]);
  for (const [part, owners] of Object.entries(parts) as [keyof typeof parts, readonly string[]][])
    if (symptom[part] !== undefined && !kinds.some(kind => owners.includes(kind)))
      faults.push([part, `only with ${owners.join(' or ')}. Remedy: remove it`]);
  if (symptom.before !== undefined && symptom.channel === undefined)
    faults.push(['before', 'without a channel. Remedy: add channel, the first of the two']);
  if (symptom.of !== undefined && (symptom.first !== undefined || symptom.changed !== undefined))
    faults.push(['of', 'only with is or before. Remedy: remove it']);
  return faults;
}

const causeSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,60}$/),
  cause: text(120).meta({ description: 'What is wrong, as a person would say it' }),
  component: text(80).meta({
    description: 'What has to be looked at; {channel} is the most telling channel',
  }),
  severity: z.enum(['none', 'info', 'warning', 'critical']).meta({
    description: 'How bad it is if nobody acts; none = no fault at all',
  }),
  on: words.optional().meta({ description: 'Device types, by words; without it, all' }),
  alone: z.boolean().optional().meta({
    description: 'true: one channel alone shows anything; false: never one alone',
  }),
  spread: z.boolean().optional().meta({
    description: 'true: several devices of the gateway at the same time; false: never',
  }),
  symptoms: z.array(symptomSchema).min(1).max(12),
  may: z.array(words).max(20).default([]).meta({ description: 'Channels that it may disturb as well' }),
  prior: z.number().min(0.01).max(100).default(1).meta({ description: 'How common it is beside the others' }),
  actions: z.array(text(240)).min(1).max(5),
});
export type Cause = z.output<typeof causeSchema>;

const fileSchema = z.strictObject({ causes: z.array(causeSchema).min(1).max(500) });

const shipped = fileURLToPath(new URL('../../catalogue/', import.meta.url));

/**
 * The shipped causes and those of the files; one with the id of a shipped one takes its place.
 * @throws ConfigError with file, line and remedy; EW_CONFIG_INVALID for an id that comes twice
 */
export async function loadCatalogue(files: readonly string[] = []): Promise<readonly Cause[]> {
  const own = (await readdir(shipped)).filter(name => name.endsWith('.yaml')).sort();
  const causes = new Map<string, Cause>();
  const readInto = async (paths: readonly string[], known: Map<string, string>) => {
    for (const file of paths)
      for (const cause of (await loadConfig(file, fileSchema)).causes) {
        const before = known.get(cause.id);
        if (before !== undefined) throw twice(cause.id, before, file);
        known.set(cause.id, file);
        causes.set(cause.id, cause);
      }
  };
  await readInto(
    own.map(name => path.join(shipped, name)),
    new Map(),
  );
  await readInto(files, new Map());
  return [...causes.values()];
}

function twice(id: string, first: string, second: string): EdgewardError {
  const where = first === second ? first : `${first} and ${second}`;
  return new EdgewardError(
    'EW_CONFIG_INVALID',
    `The cause ${id} stands twice in ${where}: rename one of them.`,
  );
}

/** `bearingTemperature`, `bearing_temperature` and `Bearing-Temperature` are the same words. */
export function wordsOf(name: string): string {
  const known = wordsByName.get(name);
  if (known !== undefined) return known;
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase();
  if (wordsByName.size >= mostNames) wordsByName.clear();
  wordsByName.set(name, words);
  return words;
}

/** Each look asks for the same few names, once for each symptom of each cause. */
const wordsByName = new Map<string, string>();
const mostNames = 10_000;

/** Whether one of the alternatives stands in the name as whole words. */
export function names(alternatives: string, name: string): boolean {
  const padded = ` ${wordsOf(name)} `;
  return alternatives.split('|').some(alternative => padded.includes(` ${alternative.trim()} `));
}
