/** Whether a polled source keeps its beat while nothing gets through and the disk is busy. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ColumnarProcess, columnarConfig } from './columnar-process.js';
import { type DeliveryContext, sleep } from './delivery-context.js';
import type { Figure } from './figures.js';
import { percentile } from './statistics.js';

const busyDisk = fileURLToPath(new URL('./busy-disk.js', import.meta.url));
const warmUpBeats = 50;

/**
 * Beside the agent runs a source like it in a process that does nothing else: what is late in both is the machine's.
 */
export async function beatFigures({ bench, full }: DeliveryContext): Promise<Figure[]> {
  const beats = full ? 3000 : 300;
  const run = { blockReadings: 80, intervalMs: 100, blocksPerBeat: 1, devices: 10 };
  const config = columnarConfig(bench, 'beat', {});
  const disk = spawn(process.execPath, [busyDisk, path.join(bench.folder, 'busy')], { stdio: 'ignore' });
  const bare = spawn(process.execPath, [bareBeat, String(beats)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  bare.stdout.on('data', (data: Buffer) => {
    told += data.toString('utf8');
  });
  const bareEnd = new Promise(resolve => bare.once('close', resolve));
  try {
    const options = { ...run, readings: Number.MAX_SAFE_INTEGER, warmUpReadings: 80 * warmUpBeats };
    await using agent = new ColumnarProcess(config, options);
    // Whoever asks an agent how it is doing has it work: nobody does before the end.
    await sleep(((warmUpBeats + beats) * run.intervalMs) / 1000);
    const { latenessMs } = await agent.until(marks => marks.latenessMs.length >= beats);
    await bareEnd;
    const [p99, bareP99] = [percentile(latenessMs, 0.99), Number(told)];
    return [
      {
        name: 'beat of a 10 Hz polled source, no network, busy disk: p99 ms',
        goal: { atMost: 20 },
        measured: p99,
        note: `${latenessMs.length} beats; median ${percentile(latenessMs, 0.5).toFixed(1)} ms`,
      },
      {
        name: 'the same, × that of a process with nothing but the beat, at the same time',
        measured: p99 / bareP99,
        note: `that has ${bareP99} ms, which is the machine’s`,
      },
    ];
  } finally {
    disk.kill('SIGKILL');
    bare.kill('SIGKILL');
  }
}

const bareBeat = fileURLToPath(new URL('./bare-beat.js', import.meta.url));
