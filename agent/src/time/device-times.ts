import type { RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import { TimeMemory, type TimesState } from '../stages/times.js';

/** More devices than any gateway has. */
const maxDevices = 10_000;
/** A device whose last time lies this near to the clock has its times from the clock. */
const clockTimesMs = 60_000;
/** Microseconds beyond this, in the year 2248, are not exact in a double. */
const maxTimeMs = 2 ** 43;

/** JSON. Empty = nothing known. */
export interface DeviceTimesState {
  readonly savedMs: number;
  readonly devices: Readonly<Record<string, TimesState>>;
}

/** What may have been given after a state was saved and was not saved. */
export interface LostTimes {
  /** Wall time at this start, ms. */
  readonly nowMs: number;
  /** Longest time between two saves, ms. */
  readonly withinMs: number;
}

/**
 * The times given to each device of the gateway: one for the whole agent, since a device keeps its times whatever
 * source, schema or process reads it.
 */
export class DeviceTimes {
  readonly #devices = new Map<string, TimeMemory>();
  #unsaved = false;

  of(device: string): TimeMemory {
    const memory = getOrMake(this.#devices, device, () => this.#new());
    if (this.#devices.size > maxDevices) {
      const [oldest] = this.#devices.keys();
      if (oldest !== undefined) this.#devices.delete(oldest);
    }
    return memory;
  }

  /** Times went back since the last `toState`: save again with the next commit. */
  get unsaved(): boolean {
    return this.#unsaved;
  }

  /** @param nowMs  wall time */
  toState(nowMs: number): DeviceTimesState {
    this.#unsaved = false;
    const devices = Object.fromEntries([...this.#devices].map(([name, memory]) => [name, memory.toJSON()]));
    return { savedMs: nowMs, devices };
  }

  /**
   * @param lost  after an end that was not clean: what devices on the gateway's clock may have been given since the
   *              state was saved counts as given. Devices with times of their own are not helped by it.
   * @throws TypeError for what `toState` never makes
   */
  static from({ savedMs, devices }: DeviceTimesState, lost?: LostTimes): DeviceTimes {
    const times = new DeviceTimes();
    for (const [name, state] of Object.entries(devices)) {
      const memory = times.#new(state);
      if (lost) reserveLost(memory, savedMs, lost);
      times.#devices.set(name, memory);
    }
    return times;
  }

  /** For held blocks whose times were corrected: the same batch, but for rows whose corrected time is taken: these move by 1 µs and are marked. */
  claimCorrected(batch: RecordBatch): RecordBatch {
    this.#unsaved = true;
    const memories = batch.schema.devices.map(device => this.of(device));
    const quality = Uint16Array.from(batch.quality);
    const time = claimTimes(
      batch,
      (i, us) => memories[batch.device[i]!]!.claimCorrected(us),
      (i, bits) => {
        quality[i]! |= bits;
      },
    );
    return time ? { ...batch, time, quality } : batch;
  }

  #new(state?: TimesState): TimeMemory {
    return new TimeMemory(() => {
      this.#unsaved = true;
    }, state);
  }
}

function reserveLost(memory: TimeMemory, savedMs: number, { nowMs, withinMs }: LostTimes): void {
  const last = memory.at;
  if (!(Math.abs(last / 1000 - savedMs) <= clockTimesMs)) return;
  const untilUs = last + withinMs * 1000;
  const nowUs = Math.floor(nowMs * 1000);
  // A clock that went on will not come back here; one that was set back may.
  const through = nowUs > last ? Math.min(untilUs, nowUs) : untilUs;
  if (through > last) memory.reserve(last + 1, through);
}

/**
 * Passes the times of a batch through `claim`, in µs.
 * @returns a new column of ms only if a row had to move
 */
export function claimTimes(
  batch: RecordBatch,
  claim: (i: number, us: number) => number,
  mark: (i: number, bits: number) => void,
): Float64Array | undefined {
  let moved: Float64Array | undefined;
  for (let i = 0; i < batch.time.length; i++) {
    const ms = batch.time[i]!;
    if (!(Math.abs(ms) < maxTimeMs)) {
      mark(i, Quality.invalid);
      continue;
    }
    const us = Math.round(ms * 1000);
    const free = claim(i, us);
    if (free === us) continue;
    moved ??= Float64Array.from(batch.time);
    moved[i] = free / 1000;
    mark(i, Quality.timeMoved);
  }
  return moved;
}
