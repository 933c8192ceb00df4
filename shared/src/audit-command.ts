/** `edgeward audit`: is any row missing or doubled, between reading it and the sinks? */
import { z } from 'zod';
import { type Findings, findingText, noFindings, together } from './audit/finding.js';
import { readConfigs } from './audit/read-configs.js';
import {
  type AgentSide,
  type CollectorSide,
  type DeviceSide,
  installedTools,
  type Tools,
} from './audit/sides.js';
import type { Command, CommandIo } from './command.js';
import { loadConfigModule } from './config/modules.js';
import { EdgewardError } from './errors.js';

export const command: Command = {
  name: 'audit',
  summary: 'reconcile agents, journal and sinks, and say of every row that is missing, doubled or unknown',
  examples: [
    'edgeward audit -c collector.yaml',
    'edgeward audit -c collector.yaml -c agent.yaml -c agent-2.yaml --json',
  ],
  options: {
    config: {
      type: 'string',
      short: 'c',
      placeholder: 'FILE',
      required: true,
      multiple: true,
      description: "a collector's configuration, and any number of agents'",
    },
    json: {
      type: 'boolean',
      description:
        'print {"balanced", "discrepancies", "explained", "unknown", "totals", "devices", "sinks", "sources"} as JSON',
    },
  },
  run: (values, io) => runAudit(optionsSchema.parse(values), io, installedTools, loadConfigModule),
};

const optionsSchema = z.object({
  config: z.array(z.string()).or(z.string().transform(one => [one])),
  json: z.boolean().default(false),
});

interface Audit extends Findings {
  readonly devices: readonly DeviceSide[];
  readonly sinks: CollectorSide['sinks'];
  readonly sources: readonly string[];
}

/** Exit code 0 = balances, 1 = does not, 2 = cannot be told. */
export async function runAudit(
  { config: files, json }: z.output<typeof optionsSchema>,
  io: Pick<CommandIo, 'stdout'>,
  tools: Tools,
  load: typeof loadConfigModule,
): Promise<number> {
  const audit = await auditOf(await readConfigs(files, load), tools);
  const { discrepancies, unknown } = audit;
  const balanced = discrepancies.length === 0 && unknown.length === 0;
  io.stdout.write(
    json
      ? `${JSON.stringify({ balanced, ...audit, totals: totals(audit.devices) }, null, 2)}\n`
      : textOf(audit),
  );
  if (discrepancies.length > 0) return 1;
  return balanced ? 0 : 2;
}

async function auditOf(configs: Awaited<ReturnType<typeof readConfigs>>, tools: Tools): Promise<Audit> {
  const [collector, second] = configs.filter(({ kind }) => kind === 'collector');
  if (second)
    throw new EdgewardError(
      'EW_USAGE',
      `${second.file} is a second collector: audit one collector at a time.`,
    );
  const agents: AgentSide[] = [];
  for (const { kind, config } of configs)
    if (kind === 'agent') agents.push(await (await tools.agent()).auditOutbox(config));
  // Agents first: what they have lost sight of, the journal has by now.
  const side = collector && (await (await tools.collector()).auditCollector(collector.config, agents));
  const found = together(...agents, side ?? (await withoutCollector(agents)));
  const sources = [
    ...agents.map(({ gateway, source }) => `${gateway}: ${source}`),
    side?.source ?? [],
  ].flat();
  return { ...found, devices: side?.devices ?? [], sinks: side?.sinks ?? [], sources };
}

async function withoutCollector(agents: readonly AgentSide[]): Promise<Findings> {
  const reason = "no collector's configuration was given: whether it has what was delivered is not known";
  return { ...noFindings, unknown: agents.map(({ gateway }) => ({ kind: 'no-collector', gateway, reason })) };
}

const terms = [
  'read',
  'stored',
  'inFlight',
  'rejected',
  'thinned',
  'dropped',
  'damaged',
  'earlier',
  'recovered',
] as const;

function totals(devices: readonly DeviceSide[]): Record<(typeof terms)[number], number> {
  const sums = terms.map(term => [term, devices.reduce((sum, device) => sum + device[term], 0)]);
  return Object.fromEntries(sums) as Record<(typeof terms)[number], number>;
}

function textOf({ discrepancies, explained, unknown, devices, sinks, sources }: Audit): string {
  const { read, recovered: _, ...parts } = totals(devices);
  const sum = Object.entries(parts).map(([term, rows]) => `${rows} ${term}`);
  const lines = [
    ...sources.map(source => `  ${source}`),
    ...(devices.length > 0 ? [`rows: ${read} read = ${sum.join(' + ')}`] : []),
    ...sinks.map(sinkText),
    ...explained.map(finding => `accounted for: ${findingText(finding)}`),
    ...unknown.map(finding => `cannot be told: ${findingText(finding)}`),
    ...discrepancies.map(finding => `DISCREPANCY: ${findingText(finding)}`),
    verdict(discrepancies.length, unknown.length),
  ];
  return `${lines.join('\n')}\n`;
}

function sinkText({ sink, position, waiting, rows, lost, refused }: CollectorSide['sinks'][number]): string {
  const has = rows === null ? 'cannot be read back' : `has ${rows} rows`;
  const gone = lost > 0 ? `, ${lost} rows lost to the journal's quota` : '';
  const letters = refused > 0 ? `, ${refused} rows in its dead letters` : '';
  return `sink ${sink}: ${has}, stands at position ${position}, ${waiting} blocks behind${gone}${letters}`;
}

function verdict(discrepancies: number, unknown: number): string {
  if (discrepancies > 0)
    return `Does not balance: ${discrepancies} ${discrepancies === 1 ? 'discrepancy' : 'discrepancies'}.`;
  return unknown > 0
    ? 'Not everything could be told; what could, balances.'
    : 'Balances: no row is missing, doubled or unknown.';
}
