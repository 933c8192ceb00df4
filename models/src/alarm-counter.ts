/** Counts alarms of one model, device by device, in the time of the rows: the same at 1 Hz and in a replay. */
import type { RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';

/** Flagged rows with fewer others than this between them are one alarm. */
export const alarmGapRows = 10;

interface Device {
  rows: number;
  /** Number of its last flagged row. */
  flaggedAt: number;
  lastMs: number;
}

export interface AlarmCounts {
  readonly rows: number;
  readonly flagged: number;
  readonly alarms: number;
  /** Sum over devices of the time that was watched. */
  readonly deviceMs: number;
  readonly devices: number;
}

export const noAlarms: AlarmCounts = { rows: 0, flagged: 0, alarms: 0, deviceMs: 0, devices: 0 };

export class AlarmCounter {
  readonly #maxGapMs: number;
  readonly #devices = new Map<string, Device>();
  readonly #before: AlarmCounts;
  #rows = 0;
  #flagged = 0;
  #alarms = 0;
  #deviceMs = 0;

  /** @param maxGapMs  a longer silence of a device was not watched; `before`: counts to go on from */
  constructor(maxGapMs: number, before: AlarmCounts = noAlarms) {
    this.#maxGapMs = maxGapMs;
    this.#before = before;
  }

  get counts(): AlarmCounts {
    const { rows, flagged, alarms, deviceMs, devices } = this.#before;
    return {
      rows: rows + this.#rows,
      flagged: flagged + this.#flagged,
      alarms: alarms + this.#alarms,
      deviceMs: deviceMs + this.#deviceMs,
      devices: Math.max(devices, this.#devices.size),
    };
  }

  /**
   * One row that was judged.
   * @returns whether an alarm begins with it
   */
  row(batch: RecordBatch, r: number, flagged: boolean): boolean {
    const device = this.#of(batch.schema.devices[batch.device[r]!]!);
    const atMs = batch.time[r]!;
    const passedMs = atMs - device.lastMs;
    if (passedMs > 0 && passedMs <= this.#maxGapMs) this.#deviceMs += passedMs;
    // A row that comes late was watched when its time was; a clock that was set back begins anew.
    if (!(passedMs <= 0) || -passedMs > this.#maxGapMs) device.lastMs = atMs;
    device.rows += 1;
    this.#rows += 1;
    if (!flagged) return false;
    this.#flagged += 1;
    const begins = device.rows - device.flaggedAt > alarmGapRows;
    device.flaggedAt = device.rows;
    if (begins) this.#alarms += 1;
    return begins;
  }

  /** Within the last rows of this device, this one included. */
  isOpen(name: string): boolean {
    const device = this.#of(name);
    return device.rows - device.flaggedAt <= alarmGapRows;
  }

  #of(name: string): Device {
    return getOrMake(this.#devices, name, () => ({
      rows: 0,
      flaggedAt: Number.NEGATIVE_INFINITY,
      lastMs: Number.NaN,
    }));
  }
}

/** Alarms a day and device. */
export function alarmRate({ alarms, deviceMs }: AlarmCounts): number {
  return deviceMs > 0 ? (alarms * 86_400_000) / deviceMs : 0;
}

/** How long a device was watched, on average. */
export function watchedHours({ deviceMs, devices }: AlarmCounts): number {
  return devices > 0 ? deviceMs / devices / 3_600_000 : 0;
}
