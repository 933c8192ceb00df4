import { type Command, type CommandIo, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { z } from 'zod';
import { deadLettersView, replayed, sinkReplayView } from './api/schemas.js';
import { ApiClient } from './api-client.js';
import { collectorConfig } from './config.js';

/** `edgeward replay`. */
export const command: Command = {
  name: 'replay',
  summary: 'Try dead letters of a running collector again, after what refused them was put right',
  examples: [
    'edgeward replay -c collector.yaml --sink influxdb',
    'edgeward replay -c collector.yaml --sink influxdb --id 5f0c1d2e3a4b5c6d7e8f901234567890',
    'edgeward replay -c collector.yaml',
  ],
  options: {
    config: configFileOption,
    sink: {
      type: 'string',
      placeholder: 'NAME',
      description: 'what this sink refused; without it, blocks that the collector itself did not understand',
    },
    id: { type: 'string', placeholder: 'ID', multiple: true, description: 'only this one (default: all)' },
    json: { type: 'boolean', description: 'print {"stored", "refused", "reasons"} as JSON' },
  },
  run: (values, io) => runReplay(optionsSchema.parse(values), io),
};

const optionsSchema = z.object({
  config: z.string(),
  sink: z.string().optional(),
  id: z.array(z.string()).optional(),
  json: z.boolean().default(false),
});

type Outcome = z.output<typeof sinkReplayView>;

/** Exit code 0 = all stored, 1 = some still are dead letters. */
async function runReplay(
  { config: file, sink, id: ids, json }: z.output<typeof optionsSchema>,
  { stdout, stop }: CommandIo,
): Promise<number> {
  const { api } = await loadConfig(file, collectorConfig);
  const client = await ApiClient.of(api, stop);
  const outcome =
    sink === undefined
      ? await replayBlocks(client, ids)
      : await client.post(
          `/api/sinks/${encodeURIComponent(sink)}/dead-letters/replay`,
          sinkReplayView,
          ids ? { ids } : {},
        );
  stdout.write(json ? `${JSON.stringify(outcome, null, 2)}\n` : textOf(outcome));
  return outcome.refused > 0 ? 1 : 0;
}

/** One by one, page by page: those that are stored make room for others on the page. */
async function replayBlocks(client: ApiClient, ids: readonly string[] | undefined): Promise<Outcome> {
  const reasons = new Map<string, string>();
  let stored = 0;
  for (let todo = ids ?? (await listed(client)); todo.length > 0; ) {
    for (const id of todo) {
      const { reason } = await client.post(`/api/dead-letters/${encodeURIComponent(id)}/replay`, replayed);
      if (reason === null) stored += 1;
      else reasons.set(id, reason);
    }
    todo = ids ? [] : (await listed(client)).filter(id => !reasons.has(id));
  }
  const left = [...reasons].map(([id, reason]) => ({ id, reason }));
  return { stored, refused: left.length, reasons: left };
}

async function listed(client: ApiClient): Promise<string[]> {
  const { letters } = await client.get('/api/dead-letters?limit=500', deadLettersView);
  return letters.map(({ id }) => id).reverse();
}

function textOf({ stored, refused, reasons }: Outcome): string {
  if (stored + refused === 0) return 'There are no dead letters.\n';
  const more = refused - reasons.length;
  return [
    `${stored} stored, ${refused} still refused`,
    ...reasons.map(({ id, reason }) => `  ${id}: ${reason}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    '',
  ].join('\n');
}
