import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { root } from '../support/root.js';

/** Figures mean nothing without where they come from. */
export function machine() {
  return {
    date: new Date().toISOString(),
    revision: git('describe', '--always', '--dirty'),
    node: process.version,
    system: `${platform()} ${release()} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    /** Processes that ran or waited, mean of the last minute; all 0 on Windows. */
    load: loadavg()[0] ?? 0,
  };
}

export type Machine = ReturnType<typeof machine>;

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown'; // not a clone
  }
}
