/** What a long outage costs in memory, and how long a start takes behind it. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BacklogMeasured } from './backlog-process.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';
import type { Resident } from './process-usage.js';

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
  const note = `${Math.round(large / 1e6)} MB of blocks`;
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
      note: `${note}; ${moreText(small.most, big.most)}: LevelDB keeps 64 MiB of tables mapped at most`,
    },
    {
      name: 'memory after a start, large backlog less one of 10 MB: MiB',
      goal: { atMost: 16 },
      measured: small.last && big.last && moreOf(small.last, big.last).reduce((sum, mib) => sum + mib, 0),
      note: `${note}; ${moreText(small.last, big.last)}`,
    },
    {
      name: 'peak memory while all of it is drained at once: MiB',
      measured: drained.maxRssBytes / mebi,
      note,
    },
  ];
}

function moreOf(small: Resident, large: Resident): [own: number, mapped: number] {
  return [(large.anonBytes - small.anonBytes) / mebi, (large.fileBytes - small.fileBytes) / mebi];
}

function moreText(small: Resident | undefined, large: Resident | undefined): string {
  if (!small || !large) return 'nobody says of what';
  const [own, mapped] = moreOf(small, large).map(mib => mib.toFixed(0));
  return `${own} MiB its own, ${mapped} MiB mapped files`;
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
