import { readFileSync } from 'node:fs';

export interface Usage {
  /** User and system time since the start, s; the kernel counts in hundredths. */
  readonly cpuS: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** What would come back if this process ended: memory shared with others is not in it. */
  readonly privateBytes: number;
}

/** The kernel's USER_HZ, 100 on every architecture that Node runs on. */
const ticksPerS = 100;

/** As the kernel sees it; undefined where there is no /proc. */
export function usageOf(pid: number): Usage | undefined {
  if (process.platform !== 'linux') return undefined;
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc_pid_stat(5).
  const [stat, status, rollup] = [read('stat'), read('status'), read('smaps_rollup')];
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerS,
    rssBytes: kilobytes(status, 'VmRSS'),
    peakRssBytes: kilobytes(status, 'VmHWM'),
    privateBytes: kilobytes(rollup, 'Private_Clean') + kilobytes(rollup, 'Private_Dirty'),
  };
}

/** What is resident, by where it comes from. */
export interface Resident {
  /** The process's own. */
  readonly anonBytes: number;
  /** Files it has mapped: the kernel takes these pages back when it needs room. */
  readonly fileBytes: number;
}

/** Undefined where there is no /proc. */
export function residentOf(pid: number): Resident | undefined {
  if (process.platform !== 'linux') return undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { anonBytes: kilobytes(status, 'RssAnon'), fileBytes: kilobytes(status, 'RssFile') };
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
}
