/** Writes to a file sink until it is killed: `node file-sink-child.js FOLDER SEED`. */
import { systemClock } from '@edgeward/shared/clock';
import type { Cursor } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { FileSink } from '../sinks/file.js';
import { cursorAfter, Tape } from './deliveries.js';

const [directory = '', seed = '1'] = process.argv.slice(2);
const sink = new FileSink({
  directory,
  maxBytes: 20_000,
  maxAgeMs: 3_600_000,
  keepFiles: undefined,
  log: silentLogger,
  clock: systemClock,
});
const tape = new Tape({ seed: Number(seed) });
const never = new AbortController().signal;

let cursor: Cursor | undefined = await sink.cursor();
// The journal hands out what lies behind the cursor: the same blocks in every run.
for (let skipped = 0; skipped < (cursor?.position ?? 0); skipped++) tape.next();
process.stdout.write('ready\n');
for (;;) {
  const deliveries = [tape.next(), tape.next(), tape.next()];
  cursor = cursorAfter(deliveries, 'journal-1', cursor);
  await sink.write(deliveries, cursor, never);
}
