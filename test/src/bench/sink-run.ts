import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SinkRun } from './sink-process.js';

const script = fileURLToPath(new URL('./sink-process.js', import.meta.url));

/**
 * Follows a journal in a process of its own, warmed up before.
 * @param warmShare  of the journal that is followed first, by a sink with the options `warm`
 */
export async function runSink(
  journal: string,
  warmShare: number,
  options: { readonly warm: object; readonly run: object },
  flags: readonly string[] = [],
): Promise<SinkRun> {
  const args = [...flags, script, journal, String(warmShare), JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString('utf8');
  });
  const code = await new Promise<number | null>(resolve => child.once('close', resolve));
  if (code !== 0) throw new Error(`the sink's process ended with ${code}`);
  return JSON.parse(output) as SinkRun;
}
