import { type Command, type CommandIo, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { z } from 'zod';
import { reloadView, sinkPauseView, sinkView } from './api/schemas.js';
import { ApiClient } from './api-client.js';
import { collectorConfig } from './config.js';

/** `edgeward sinks`. */
export const command: Command = {
  name: 'sinks',
  summary: 'Show how far the sinks of a running collector have come; pause, resume or reload them',
  examples: [
    'edgeward sinks -c collector.yaml',
    'edgeward sinks -c collector.yaml --pause kafka',
    'edgeward sinks -c collector.yaml --reload --json',
  ],
  options: {
    config: configFileOption,
    pause: {
      type: 'string',
      placeholder: 'NAME',
      multiple: true,
      description: 'write nothing more to this sink, also after a restart, until it is resumed',
    },
    resume: {
      type: 'string',
      placeholder: 'NAME',
      multiple: true,
      description: 'write to this sink again, from where it stands',
    },
    reload: {
      type: 'boolean',
      description:
        'have the collector read its file again and apply what changed in sinks, receiptAfter and topology',
    },
    json: { type: 'boolean', description: 'print {"sinks", "reloaded", "notes"} as JSON' },
  },
  run: (values, io) => runSinks(optionsSchema.parse(values), io),
};

const optionsSchema = z.object({
  config: z.string(),
  pause: z.array(z.string()).default([]),
  resume: z.array(z.string()).default([]),
  reload: z.boolean().default(false),
  json: z.boolean().default(false),
});

type SinkRow = z.output<typeof sinkView>;

/** Exit code 0 = done; what failed is thrown. */
async function runSinks(
  { config: file, pause, resume, reload, json }: z.output<typeof optionsSchema>,
  { stdout, stop }: CommandIo,
): Promise<number> {
  const { api } = await loadConfig(file, collectorConfig);
  const client = await ApiClient.of(api, stop);
  const reloaded = reload ? await client.post('/api/sinks/reload', reloadView) : undefined;
  const notes: string[] = [];
  for (const [act, names] of [
    ['pause', pause],
    ['resume', resume],
  ] as const)
    for (const name of names) {
      const { note } = await client.post(`/api/sinks/${encodeURIComponent(name)}/${act}`, sinkPauseView);
      notes.push([`${name} is ${act}d.`, note].filter(Boolean).join(' '));
    }
  const sinks = await client.get('/api/sinks', z.array(sinkView));
  if (json) stdout.write(`${JSON.stringify({ sinks, reloaded: reloaded ?? null, notes }, null, 2)}\n`);
  else stdout.write([...(reloaded ? reloadLines(reloaded) : []), ...notes, ...tableOf(sinks), ''].join('\n'));
  return 0;
}

function reloadLines(done: z.output<typeof reloadView>): string[] {
  const { added, removed, replaced, receiptAfter, topology, needsRestart, notes } = done;
  const lists = Object.entries({ added, removed, 'changed, going on where they stood': replaced })
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${names.join(', ')}: ${what}`);
  const others = Object.entries({ receiptAfter, topology }).filter(([, isOther]) => isOther);
  const changed = [...lists, ...others.map(([name]) => `${name} is another now`)];
  return [
    ...(changed.length > 0 ? changed : ['Nothing has changed in sinks, receiptAfter and topology.']),
    ...(needsRestart.length > 0 ? [`Needs a restart: ${needsRestart.join(', ')}`] : []),
    ...notes,
  ];
}

const headings = ['sink', 'type', 'state', 'lag', 'behind', 'stored', 'dead letters'];

function tableOf(sinks: readonly SinkRow[]): string[] {
  if (sinks.length === 0) return ['This collector has no sinks.'];
  const rows = [headings, ...sinks.map(cellsOf)];
  const widths = headings.map((_, i) => Math.max(...rows.map(row => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return [...rows.map(line), ...sinks.flatMap(remarksOf)];
}

function cellsOf({ name, type, state, lag, stored, deadLetters }: SinkRow): string[] {
  const letters = deadLetters.letters === 0 ? '0' : `${deadLetters.letters} (${deadLetters.rows} rows)`;
  return [name, type, state, `${lag.rows} rows`, spanText(lag.seconds), `${stored.rows} rows`, letters];
}

function remarksOf({ name, failure, paused, inReceiptAfter, lostRows }: SinkRow): string[] {
  const held = inReceiptAfter ? ': gateways get no receipts until it is resumed' : '';
  return [
    ...(paused ? [`${name} is paused${held}.`] : []),
    ...(failure ? [`${name} fails: ${failure.text}${nextTry(failure.nextTryMs)}`] : []),
    ...(lostRows > 0
      ? [`${name} never got ${lostRows} rows: it lagged until the journal gave its blocks up.`]
      : []),
  ];
}

function nextTry(atMs: number | null): string {
  if (atMs === null) return ' (being tried now)';
  return ` (next try in ${spanText(Math.max(0, atMs - Date.now()) / 1000)})`;
}

function spanText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
