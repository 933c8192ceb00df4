/** What it costs to have every block on disk first. */
import { between, ColumnarProcess, columnarConfig } from './columnar-process.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';

const note =
  'Telegraf 1.37’s disk buffer, measured apart: 85–91 CPU-s a million, 2,460–5,890 readings a second';

export async function alwaysFigures({ bench, full }: DeliveryContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [blockReadings, millions] of [
    [480, full ? 20 : 4],
    [4800, full ? 80 : 12],
  ] as const) {
    const readings = millions * 1e6;
    const config = columnarConfig(bench, `always-${blockReadings}`, {
      outbox: { durability: 'always', maxBytes: 4e9 },
    });
    const run = { blockReadings, readings, intervalMs: 0, blocksPerBeat: 1, devices: 10 };
    await using agent = new ColumnarProcess(config, { ...run, warmUpReadings: readings / 4 });
    await agent.until(({ now }) => now.readings >= readings);
    // What is still in memory is written before it ends, and counts as well.
    const { warm, now } = await agent.stop();
    const { cpuUsPerReading, readingsPerS } = between(warm, now);
    const name = `durability always, blocks of ${blockReadings}`;
    figures.push(
      { name: `${name}: CPU-s a million`, goal: { atMost: 3 }, measured: cpuUsPerReading, note },
      { name: `${name}: readings/s`, goal: { atLeast: 300_000 }, measured: readingsPerS, note },
    );
  }
  return figures;
}
