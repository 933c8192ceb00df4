/**
 * Trains for the collector, in a process of its own: what it needs of CPU and memory, or what becomes of it, is no
 * trouble of those that deliver. It ends within a second of the collector (where the system tells of that: not on
 * Windows, where it goes on to the end of what it computes).
 */
import { writeFile } from 'node:fs/promises';
import { endWithParent } from './end-with-parent.js';
import type { ToTrainer } from './request.js';
import { TrainingWork } from './training-work.js';

/** Of two that share a machine without memory, Linux is to end this one. */
const oomScore = '800';

const work = new TrainingWork();

if (process.platform === 'linux') void writeFile('/proc/self/oom_score_adj', oomScore).catch(() => undefined);
endWithParent();
process.on('disconnect', () => process.exit());
process.on('message', (message: ToTrainer) => {
  const answer = work.take(message);
  if (answer) process.send!(answer, () => process.disconnect());
});
