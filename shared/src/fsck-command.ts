/** `edgeward fsck`: are the stores of a stopped process whole? */
import { z } from 'zod';
import { findingText } from './audit/finding.js';
import { readConfigs } from './audit/read-configs.js';
import { installedTools, type Repair, type StoreCheck, type Tools } from './audit/sides.js';
import type { Command, CommandIo } from './command.js';
import { loadConfigModule } from './config/modules.js';
import { EdgewardError, messageOf } from './errors.js';

export const command: Command = {
  name: 'fsck',
  summary: 'check the stores of a stopped agent or collector, record by record, and repair them if asked',
  examples: ['edgeward fsck -c agent.yaml', 'edgeward fsck -c collector.yaml --repair'],
  options: {
    config: {
      type: 'string',
      short: 'c',
      placeholder: 'FILE',
      required: true,
      description: 'configuration of the process whose stores are checked; it must be stopped',
    },
    repair: {
      type: 'boolean',
      description: 'copy a damaged store aside, then drop what is unreadable and count its rows as damaged',
    },
    json: {
      type: 'boolean',
      description: 'print {"clean", "problems", "repaired", "seen", "still"} as JSON',
    },
  },
  run: (values, io) => runFsck(optionsSchema.parse(values), io, installedTools, loadConfigModule),
};

const optionsSchema = z.object({
  config: z.string(),
  repair: z.boolean().default(false),
  json: z.boolean().default(false),
});

interface Outcome extends StoreCheck {
  /** What a repair did; null = none was made. */
  readonly repaired: Repair | null;
  /** What is still wrong after it. */
  readonly still: StoreCheck['problems'];
}

/** Exit code 0 = clean, 1 = problems were found, repaired or not, 2 = cannot be checked. */
export async function runFsck(
  { config: file, repair, json }: z.output<typeof optionsSchema>,
  io: Pick<CommandIo, 'stdout' | 'stderr'>,
  tools: Tools,
  load: typeof loadConfigModule,
): Promise<number> {
  const [read] = await readConfigs([file], load);
  if (!read) return 2;
  const tool = read.kind === 'agent' ? await tools.agent() : await tools.collector();
  try {
    const outcome = await fsck(tool, read.config, repair);
    io.stdout.write(json ? jsonOf(outcome) : textOf(outcome));
    return outcome.problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof EdgewardError)) throw error;
    if (json)
      io.stdout.write(
        `${JSON.stringify({ clean: null, error: { code: error.code, message: messageOf(error) } }, null, 2)}\n`,
      );
    io.stderr.write(`edgeward: ${error.code}: ${messageOf(error)}\n`);
    return 2;
  }
}

type Tool = Pick<Awaited<ReturnType<Tools['agent']>>, 'checkStores' | 'repairStores'>;

async function fsck(tool: Tool, config: unknown, repair: boolean): Promise<Outcome> {
  const check = await tool.checkStores(config);
  if (!repair || check.problems.length === 0) return { ...check, repaired: null, still: check.problems };
  const repaired = await tool.repairStores(config);
  return { ...check, repaired, still: (await tool.checkStores(config)).problems };
}

function jsonOf({ problems, repaired, seen, still }: Outcome): string {
  return `${JSON.stringify({ clean: problems.length === 0, problems, repaired, seen, still }, null, 2)}\n`;
}

function textOf({ problems, repaired, seen, still }: Outcome): string {
  const lines = [
    ...seen.map(text => `  ${text}`),
    ...problems.map(problem => `problem: ${findingText(problem)}`),
    ...(repaired ?? []).map(text => `repaired: ${text}`),
    ...(repaired ? still.map(problem => `still: ${findingText(problem)}`) : []),
    verdict(problems.length, repaired !== null, still.length),
  ];
  return `${lines.join('\n')}\n`;
}

function verdict(problems: number, repaired: boolean, still: number): string {
  if (problems === 0) return 'Clean.';
  const found = `${problems} ${problems === 1 ? 'problem' : 'problems'} found`;
  if (!repaired) return `${found}; nothing was changed. Repair: the same with --repair.`;
  return still === 0 ? `${found} and repaired.` : `${found}; ${still} are left after the repair.`;
}
