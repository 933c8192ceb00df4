import { existsSync } from 'node:fs';

/** What the operating system says of its clock. `unknown`: nobody here who would know. */
export type OsClock = 'synchronised' | 'unsynchronised' | 'unknown';

/**
 * Asks systemd-timesyncd, which touches a file at its first synchronisation after each boot.
 * @param exists  for tests
 * @see systemd-timesyncd.service(8), "Files"
 */
export function osClock(exists: (path: string) => boolean = existsSync): OsClock {
  if (exists('/run/systemd/timesync/synchronized')) return 'synchronised';
  return exists('/run/systemd/timesync') ? 'unsynchronised' : 'unknown';
}
