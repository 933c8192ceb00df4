/** Writes and syncs one megabyte after the other to `FILE`, until it is killed. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';

const megabytes = 64;
const bytes = Buffer.alloc(1024 * 1024, 1);
const file = openSync(process.argv[2]!, 'w');
process.once('exit', () => closeSync(file));
for (let n = 0; ; n = (n + 1) % megabytes) {
  writeSync(file, bytes, 0, bytes.length, n * bytes.length);
  fdatasyncSync(file);
}
