/** What an agent writes to its disk: nearly nothing while it is online, little more than its data in an outage. */
import path from 'node:path';
import { encodeBlock } from '@edgeward/shared/wire';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { ColumnarProcess, columnarConfig } from './columnar-process.js';
import { preparedBlocks } from './columnar-source.js';
import { type DeliveryContext, sleep } from './delivery-context.js';
import { type DiskMeter, diskMeter, since, type Written } from './disk-bytes.js';
import type { Figure } from './figures.js';
import { LoopDisk } from './loop-disk.js';
import { MeasuredProcess } from './measured-process.js';
import { figure } from './table.js';

const slow = { blockReadings: 80, intervalMs: 1000, blocksPerBeat: 1, devices: 10 };
const fast = { blockReadings: 4800, intervalMs: 48, blocksPerBeat: 1, devices: 10 };

interface Rate {
  readonly run: typeof slow;
  readonly perS: number;
  /** The agent saves its state so often while it is online: less often where that would be most of what it writes. */
  readonly saveEveryS: number;
}
const rates: readonly Rate[] = [
  { run: slow, perS: 80, saveEveryS: 1800 },
  { run: fast, perS: 100_000, saveEveryS: 600 },
];

/** The goals are about what the process writes, as it was measured when they were set; the disk's own is told beside. */
export async function diskFigures(context: DeliveryContext): Promise<Figure[]> {
  using disk = LoopDisk.make(context.bench.folder, 1024);
  const meter = diskMeter(disk);
  const folder = disk?.folder ?? context.bench.folder;
  return [...(await online(context, meter, folder)), ...(await outage(context, meter, folder))];
}

async function online({ bench, full }: DeliveryContext, meter: DiskMeter, folder: string): Promise<Figure[]> {
  const ports = await freePorts();
  const config = { dataDir: './collector-disk', broker: { port: ports.broker }, api: { port: ports.api } };
  const args = ['collector', '-c', bench.config('collector-disk', config)];
  await using _collector = new MeasuredProcess({ args });
  await new CollectorProbe(ports).ready();
  const figures: Figure[] = [];
  for (const { run, perS, saveEveryS } of rates) {
    const seconds = full ? saveEveryS + 60 : 20;
    const dataDir = path.join(folder, `online-${perS}`);
    const file = columnarConfig(bench, `online-${perS}`, { dataDir }, ports.broker);
    const options = { ...run, readings: Number.MAX_SAFE_INTEGER, warmUpReadings: perS * 10 };
    await using agent = new ColumnarProcess(file, options);
    await agent.until(({ warm }) => warm !== undefined);
    const running = await written(agent, meter, () => sleep(seconds));
    const saving = await written(agent, meter, () => saved(agent));
    // A quick run sees no save by itself: of the one it asked for it counts the share of its seconds.
    const share = full ? 0 : seconds / saveEveryS;
    const aReading = ({ process, disk }: Written, save: Written): Written => ({
      process: process === undefined ? undefined : (process + (save.process ?? 0) * share) / running.readings,
      disk: disk === undefined ? undefined : (disk + (save.disk ?? 0) * share) / running.readings,
    });
    const { process, disk } = aReading(running.bytes, saving.bytes);
    figures.push({
      name: `bytes written online, ${perS.toLocaleString('en')} readings/s: a reading`,
      goal: { atMost: 0.1 },
      measured: process,
      note: `${running.bytes.process} bytes in ${seconds} s, ${saving.bytes.process} for a save, every ${Math.round(saveEveryS / 60)} minutes; with the file system’s own: ${figure(disk)}`,
    });
  }
  return figures;
}

/** Twice the time that a beat and a commit take. */
async function saved(agent: ColumnarProcess): Promise<void> {
  await agent.marks('save');
  await sleep(3);
}

async function outage({ bench, full }: DeliveryContext, meter: DiskMeter, folder: string): Promise<Figure[]> {
  const config = (name: string) => columnarConfig(bench, name, { dataDir: path.join(folder, name) });
  const large = await bulk(config('outage-bulk'), meter, (full ? 320 : 60) * 1e6);
  const seconds = full ? 600 : 30;
  const small = await slowly(config('outage-slow'), meter, seconds);
  const block = bytesAReading(fast.blockReadings);
  const times = (bytes: number | undefined) => bytes && bytes / large.readings / block;
  return [
    {
      name: 'bytes written in an outage, large commits: × the blocks’ own',
      goal: { atMost: 2.3 },
      measured: times(large.bytes.process),
      note: `${(large.readings / 1e6).toFixed(0)} million readings of ${block.toFixed(2)} bytes; the last megabyte is not yet a table; with the file system’s own: ${figure(times(large.bytes.disk))}`,
    },
    {
      name: 'bytes written in an outage, 80 readings/s, a commit a second: a reading',
      goal: { atMost: 60 },
      measured: small.bytes.process && small.bytes.process / small.readings,
      note: `${seconds} s; with the file system’s own: ${figure(small.bytes.disk && small.bytes.disk / small.readings)}`,
    },
  ];
}

/** From its start until all is written: else what waited in memory at a mark would be counted on one side only. */
async function bulk(file: string, meter: DiskMeter, readings: number) {
  await using agent = new ColumnarProcess(file, { ...fast, intervalMs: 0, readings, warmUpReadings: 0 });
  return await written(agent, meter, async () => {
    await agent.until(({ now }) => now.readings >= readings);
    await sleep(2);
  });
}

async function slowly(file: string, meter: DiskMeter, seconds: number) {
  const options = { ...slow, readings: Number.MAX_SAFE_INTEGER, warmUpReadings: 80 * 5 };
  await using agent = new ColumnarProcess(file, options);
  await agent.until(({ warm }) => warm !== undefined);
  return await written(agent, meter, () => sleep(seconds));
}

async function written(agent: ColumnarProcess, meter: DiskMeter, act: () => Promise<unknown>) {
  const [from, bytesFrom] = [(await agent.marks()).now.readings, meter(agent.pid)];
  await act();
  const [to, bytesTo] = [(await agent.marks()).now.readings, meter(agent.pid)];
  return { readings: to - from, bytes: since(bytesFrom, bytesTo) };
}

function bytesAReading(blockReadings: number): number {
  const blocks = preparedBlocks({ ...fast, blockReadings, readings: 0 });
  const epoch = '000000001-0123456789abcdef';
  const bytes = blocks.map(
    (block, i) => encodeBlock({ epoch, seq: i + 1, oldestEpoch: epoch, atMs: 0 }, block).length,
  );
  return bytes.reduce((sum, n) => sum + n, 0) / blocks.length / blockReadings;
}
