/** Ten beats a second and nothing else, `BEATS` of them; tells how late they were, p99 in ms. */
import { Beat } from '@edgeward/agent/sources/beat';
import { systemClock } from '@edgeward/shared/clock';
import { percentile } from './statistics.js';

const beats = Number(process.argv[2]);
const never = new AbortController().signal;
const beat = new Beat(100, systemClock);
const latenessMs: number[] = [];
while (latenessMs.length < beats) {
  const dueMs = beat.nextMs;
  const nowMs = systemClock.monotonic();
  if (beat.comes()) latenessMs.push(nowMs - dueMs);
  else await systemClock.sleep(dueMs - nowMs, never);
}
process.stdout.write(percentile(latenessMs, 0.99).toFixed(1));
