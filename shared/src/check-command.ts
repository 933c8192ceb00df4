import { z } from 'zod';
import type { Command, CommandIo } from './command.js';
import { findAbsent } from './config/absent.js';
import { guessKind } from './config/guess-kind.js';
import { ConfigError, type ConfigIssue, formatIssue } from './config/issue.js';
import { openConfig, parseConfig, placeIssues } from './config/load.js';
import { type ConfigModule, type ConfigName, configModules, loadConfigModule } from './config/modules.js';
import { configTree, isMapping } from './config/tree.js';
import { EdgewardError } from './errors.js';

export const command: Command = {
  name: 'check',
  summary: 'check a configuration file and say what is wrong, where, and what to do',
  examples: ['edgeward check -c agent.yaml', 'edgeward check -c plant.yaml --as collector --json'],
  options: {
    config: {
      type: 'string',
      short: 'c',
      placeholder: 'FILE',
      required: true,
      description: 'the file to check',
    },
    as: {
      type: 'string',
      placeholder: 'KIND',
      description: 'agent or collector (default: the one whose keys the file has)',
    },
    elsewhere: {
      type: 'boolean',
      description: 'the file is for another machine: do not look for the files and variables it names',
    },
    json: { type: 'boolean', description: 'print {"file", "kind", "ok", "issues"} as JSON' },
  },
  run: (values, io) => {
    return runCheck(optionsSchema.parse(values), io, loadConfigModule);
  },
};

const optionsSchema = z.object({
  config: z.string(),
  as: z.string().optional(),
  elsewhere: z.boolean().default(false),
  json: z.boolean().default(false),
});

type Options = z.output<typeof optionsSchema>;

export type LoadModule = (name: ConfigName) => Promise<ConfigModule>;

/** Exit code 0 = fine, 2 = issues; they are printed. */
export async function runCheck(
  { config: file, as, elsewhere, json }: Options,
  io: Pick<CommandIo, 'stdout'>,
  load: LoadModule,
): Promise<number> {
  const known = as === undefined ? undefined : knownKind(as);
  const { kind, summary, issues } = await check(file, known, elsewhere, load);
  const ok = issues.length === 0;
  if (json) io.stdout.write(`${JSON.stringify({ file, kind: kind ?? null, ok, issues }, null, 2)}\n`);
  else if (ok) io.stdout.write(`${file}: ok (${summary})\n`);
  else io.stdout.write(issues.map(issue => `${formatIssue(issue)}\n`).join(''));
  return ok ? 0 : 2;
}

function knownKind(text: string): ConfigName {
  const kind = configModules.find(module => module.name === text)?.name;
  if (kind) return kind;
  throw new EdgewardError(
    'EW_USAGE',
    `--as takes ${configModules.map(({ name }) => name).join(' or ')}, not ${text}.`,
  );
}

interface Checked {
  readonly kind?: ConfigName;
  readonly summary: string;
  readonly issues: readonly ConfigIssue[];
}

async function check(
  file: string,
  as: ConfigName | undefined,
  elsewhere: boolean,
  load: LoadModule,
): Promise<Checked> {
  let kind = as;
  try {
    const yaml = await openConfig(file);
    kind ??= guessKind(yaml.value);
    const module = await load(kind);
    const config: unknown = parseConfig(yaml, module.schema);
    const deeper = (await module.checkConfig?.(config)) ?? [];
    const absent = elsewhere ? [] : await findAbsent(yaml, configTree(module.schema), config);
    return { kind, summary: summaryOf(kind, config), issues: placeIssues(yaml, [...deeper, ...absent]) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ...(kind && { kind }), summary: '', issues: error.issues };
  }
}

/** `agent, 2 sources`: what the file is, and how long its lists are. */
function summaryOf(kind: ConfigName, config: unknown): string {
  const lists = Object.entries(isMapping(config) ? config : {}).filter(([, value]) => Array.isArray(value));
  const counts = lists.map(([key, value]) => `${(value as readonly unknown[]).length} ${key}`);
  return [kind, ...counts.map(text => text.replace(/^1 (.*)s$/, '1 $1'))].join(', ');
}
