/** What a long outage costs in memory, and how long a start takes behind it. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BacklogMeasured } from './backlog-process.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';

const script = fileURLToPath(new URL('./backlog-process.js', import.meta.url));
const mebi = 1024 * 1024;

export async function backlogFigures({ bench, full }: DeliveryContext): Promise<Figure[]> {
  const folder = (name: string) => path.join(bench.folder, name);
  const large = full ? 2e9 : 2e8;
  const fills = { small: [1e7, 8000], large: [large, 8000], rows: [1.15e7, 80] } as const;
  for (const [name, [bytes, rows]] of Object.entries(fills)) {
    mkdirSync(folder(name));
    await run('fill', folder(name), bytes, rows);
  }
  const many = await run('start', folder('rows'));
  const [small, big] = [await run('start', folder('small')), await run('start', folder('large'))];
  const drained = await run('drain', folder('large'));
  const more = (what: 'anonBytes' | 'fileBytes') => Math.round((big[what] - small[what]) / mebi);
  const note = `${Math.round(large / 1e6)} MB of blocks; ${more('anonBytes')} MiB more of its own, ${more('fileBytes')} MiB more of tables that LevelDB has mapped, of which it keeps 64 MiB at most`;
  return [
    {
      name: `start with ${many.blocks} blocks of 80 rows to the first offer: s a million rows`,
      goal: { atMost: 10 },
      measured: many.firstMs / 1000 / ((many.blocks * 80) / 1e6),
      note: `${many.cpuS.toFixed(1)} CPU-s for all of the process`,
    },
    {
      name: 'peak memory of a start, large backlog less one of 10 MB: MiB',
      goal: { atMost: 80 },
      measured: (big.maxRssBytes - small.maxRssBytes) / mebi,
      note,
    },
    {
      name: 'peak memory while all of it is drained at once: MiB',
      measured: drained.maxRssBytes / mebi,
      note,
    },
  ];
}

async function run(action: string, folder: string, ...more: readonly number[]): Promise<BacklogMeasured> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    action,
    folder,
    ...more.map(String),
  ]);
  return JSON.parse(stdout) as BacklogMeasured;
}
