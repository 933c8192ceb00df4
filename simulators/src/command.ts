import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import type { Command, CommandIo } from '@edgeward/shared/command';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { Plant } from './plant.js';
import { rowText } from './row-text.js';
import { scenarioOf } from './scenarios.js';
import { readSimulateOptions, type SimulateOptions, simulateOptions } from './simulate-options.js';

/** `edgeward simulate`. */
export const command: Command = {
  name: 'simulate',
  summary: 'write readings of a simulated plant as CSV or NDJSON',
  examples: [
    'edgeward simulate --type pump --devices 4 --hours 24 --step-ms 2000 --out pump.csv',
    'edgeward simulate --type cold-room --scenario mixed --labels --seed 7',
    'edgeward simulate --scenario bearing-wear --labels --format ndjson | head',
  ],
  options: simulateOptions,
  run: async (values, io) => write(readSimulateOptions(values), io),
};

/** Exit code: 0 all written, or the reader wanted no more; 1 stopped before the end. */
async function write(options: SimulateOptions, io: CommandIo): Promise<number> {
  const pieces = rowText(plantOf(options), ticksOf(options), options.format, options.labels);
  const rows = Readable.from(breathing(pieces), { highWaterMark: 2 });
  try {
    if (options.out === undefined) await pipeline(rows, io.stdout, { end: false, signal: io.stop });
    else await pipeline(rows, createWriteStream(options.out), { signal: io.stop });
    return 0;
  } catch (error) {
    if (io.stop.aborted) return 1;
    const code = codeOf(error);
    // `… | head` closes the pipe once it has seen enough.
    if (options.out === undefined && (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE')) return 0;
    if (options.out === undefined || code === undefined) throw error;
    const detail = `--out ${JSON.stringify(options.out)} cannot be written (${messageOf(error)}): name another file.`;
    throw new EdgewardError('EW_USAGE', detail, { cause: error });
  }
}

/** Writes to files and pipes may be synchronous; without a pause no signal would ever be seen. */
async function* breathing(pieces: Iterable<string>): AsyncGenerator<string, void, void> {
  for (const piece of pieces) {
    yield piece;
    await setImmediate();
  }
}

function plantOf({ type, devices: count, seed, scenario, hours, stepMs, startMs }: SimulateOptions): Plant {
  const devices = Array.from({ length: count }, (_, i) => ({ name: `${type}-${i + 1}`, type }));
  const faults = scenarioOf(scenario)(devices, seed, hours * 3600);
  return new Plant({ seed, startMs, stepMs, devices, faults });
}

/** Rows of each device: the last lies before the end of the span. */
function ticksOf({ hours, stepMs }: SimulateOptions): number {
  return Math.max(1, Math.ceil((hours * 3_600_000) / stepMs - 1e-9));
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
