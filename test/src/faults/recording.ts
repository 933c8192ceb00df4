/**
 * The readings that the rig feeds to an agent: numbered, each with a check value that follows from its number, so that
 * a reading that was altered is as visible as one that is missing, doubled or made up.
 */
import { writeFileSync } from 'node:fs';

export interface Expected {
  readonly devices: readonly string[];
  readonly rowsPerDevice: number;
}

const startMs = 1_700_000_000_000;
/** Between two rows of a device, in the recording. */
export const stepMs = 100;

/** What the field `check` of row n must be, to the last bit. */
export function checkOf(device: number, n: number): number {
  return Math.sin(n * 0.7 + device) * 1000 + n / 7;
}

/** A CSV file with that many rows for each device, in turn. Synced: it is the record of what was there to be read. */
export function writeRecording(file: string, { devices, rowsPerDevice }: Expected): void {
  const lines = ['timestamp,device,n,check'];
  for (let n = 0; n < rowsPerDevice; n++)
    for (const [index, device] of devices.entries())
      lines.push(`${startMs + n * stepMs},${device},${n},${checkOf(index, n)}`);
  writeFileSync(file, `${lines.join('\n')}\n`, { flush: true });
}

/** The agent's source for it. @param rowsPerSecond  of each device, or as fast as they are stored */
export function replayOf(file: string, rowsPerSecond: number | 'max', batchRows = 40): object {
  return {
    type: 'replay',
    path: file,
    device: 'unused',
    deviceType: 'recorder',
    deviceColumn: 'device',
    timeFormat: 'epochMs',
    speed: rowsPerSecond === 'max' ? 'max' : (rowsPerSecond * stepMs) / 1000,
    batchRows,
    lingerMs: 50,
  };
}
