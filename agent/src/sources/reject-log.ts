import type { Clock } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';

/** Time between two lines about the same thing. */
const quietMs = 10_000;
/** More kinds than this are told as they come. */
const mostKinds = 1000;

interface Told {
  readonly atMs: number;
  /** Since then. */
  rows: number;
}

/** Tells of rejected rows, once in a while for each device and reason: a device that goes mad must not fill a disk with it. */
export class RejectLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #told = new Map<string, Told>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  rejected(device: string, count: number, reason: string): void {
    const key = `${device} ${reason}`;
    const told = this.#told.get(key);
    const nowMs = this.#clock.monotonic();
    if (told && nowMs - told.atMs < quietMs) {
      told.rows += count;
      return;
    }
    if (this.#told.size >= mostKinds) this.#told.clear();
    this.#told.set(key, { atMs: nowMs, rows: 0 });
    this.#log.warn({ device, count: count + (told?.rows ?? 0), reason }, 'rows rejected');
  }
}
