import { readFileSync } from 'node:fs';
import type { LoopDisk } from './loop-disk.js';

/** Undefined where nobody counts. */
export interface Written {
  /** What the process caused to be sent to the storage layer, see proc_pid_io(5). */
  readonly process: number | undefined;
  /** What reached a disk of its own, with the file system's journal and metadata. */
  readonly disk: number | undefined;
}

export type DiskMeter = (pid: number) => Written;

export function diskMeter(disk: LoopDisk | undefined): DiskMeter {
  return pid => ({ process: processBytes(pid), disk: disk?.writtenBytes() });
}

export function since(before: Written, after: Written): Written {
  const less = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : a - b;
  return { process: less(after.process, before.process), disk: less(after.disk, before.disk) };
}

function processBytes(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const bytes = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  return bytes === undefined ? undefined : Number(bytes);
}
