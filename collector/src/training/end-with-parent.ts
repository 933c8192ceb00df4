import { Worker } from 'node:worker_threads';

/** On a thread of its own: one that computes hears neither timers nor that its parent is gone. */
const watch = `
  const parent = require('node:worker_threads').workerData;
  setInterval(() => process.ppid === parent || process.kill(process.pid, 'SIGKILL'), 500);
`;

/** Kills this process within a second of its parent's end, whatever it does then; where that shows (not on Windows). */
export function endWithParent(): void {
  new Worker(watch, { eval: true, workerData: process.ppid }).unref();
}
