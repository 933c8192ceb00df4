/** What is known of the right time, and which times each device has had: one for the whole agent, saved by the outbox. */
import type { Clock, RecordBatch, Stage } from '@edgeward/shared/contracts';
import type { BlockClock } from '@edgeward/shared/wire';
import type { TellClock } from './clock-events.js';
import type { ClockConfig } from './config.js';
import { clockSpanOf, correctTimes } from './correct.js';
import { DeviceTimes, type DeviceTimesState } from './device-times.js';
import { Timekeeper, type TimekeeperState } from './timekeeper.js';

/** The outbox saves this often at the least: what was given since may be missing after a kill. */
const savedWithinMs = 1_800_000;

export interface GatewayTimeOptions {
  readonly clock: Clock;
  readonly config: ClockConfig;
  readonly onEvent: TellClock;
  /** What `state` gave at the last save; anything else counts as nothing. */
  readonly saved: unknown;
}

export class GatewayTime {
  readonly keeper: Timekeeper;
  readonly times: DeviceTimes;
  readonly #clock: Clock;

  constructor({ clock, config, onEvent, saved }: GatewayTimeOptions) {
    const { keeper, times } = parts(saved);
    this.#clock = clock;
    this.keeper = new Timekeeper({ clock, ...config, onEvent, ...(keeper && { state: keeper }) });
    this.times = timesFrom(times, clock.now());
  }

  stamp(): BlockClock | undefined {
    return this.keeper.stamp();
  }

  correctionFor(stamp: BlockClock, atMs: number) {
    return this.keeper.correctionFor(stamp, atMs);
  }

  onChange(listener: () => void): () => void {
    return this.keeper.onChange(listener);
  }

  correct(batch: RecordBatch, offsetMs: number, unsure: boolean, atMs: number): RecordBatch {
    const corrected = correctTimes(batch, offsetMs, unsure, clockSpanOf(atMs));
    return offsetMs === 0 ? corrected : this.times.claimCorrected(corrected);
  }

  state(): unknown {
    return { keeper: this.keeper.state(), times: this.times.toState(this.#clock.now()) };
  }

  /** The last stage: rows read before and after the clock was set go with one time. */
  sealing(): Stage {
    return {
      process: batch => {
        const { batch: sealed } = this.keeper.seal(batch);
        return sealed === batch ? batch : this.times.claimCorrected(sealed);
      },
    };
  }
}

function parts(saved: unknown): { keeper?: TimekeeperState; times?: DeviceTimesState } {
  return typeof saved === 'object' && saved !== null ? saved : {};
}

/** A state that the disk has altered is worth no more than none. */
function timesFrom(state: DeviceTimesState | undefined, nowMs: number): DeviceTimes {
  try {
    return state ? DeviceTimes.from(state, { nowMs, withinMs: savedWithinMs }) : new DeviceTimes();
  } catch {
    return new DeviceTimes();
  }
}
