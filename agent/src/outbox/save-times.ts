/** When all that changed is saved, though nothing asks for it. */
import type { Clock } from '@edgeward/shared/contracts';

/** Online next to nothing is written: a restart finds the ledger this old, and the collector knows the rest. */
const everyMs = 10 * 60_000;
/** With few readings a save is a large part of what is written: then it may be as old as this. */
const latestMs = 30 * 60_000;
/** So many readings are worth a byte. */
const readingsPerByte = 20;
const pageBytes = 4096;
/** While blocks are being stored anyway. */
const whileStoringMs = 10_000;
/** Notes are to be a small part of what is stored with them. */
const blockBytesPerSavedByte = 64;

export class SaveTimes {
  readonly #clock: Clock;
  #savedMs: number;
  #savedBytes = 0;
  #blockBytes = 0;
  #readings = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#savedMs = clock.monotonic();
  }

  /** Monotonic, ms. */
  get dueMs(): number {
    const isWorth = this.#readings >= readingsPerByte * (this.#savedBytes + pageBytes);
    return this.#savedMs + (isWorth ? everyMs : latestMs);
  }

  /** Whether this commit takes it along. @param pure  it only puts blocks, and saves as notes within them */
  isDue(pure: boolean): boolean {
    const ageMs = this.#clock.monotonic() - this.#savedMs;
    if (ageMs < whileStoringMs) return false;
    if (!pure || ageMs >= everyMs) return true;
    return this.#blockBytes >= blockBytesPerSavedByte * this.#savedBytes;
  }

  read(readings: number): void {
    this.#readings += readings;
  }

  stored(blockBytes: number): void {
    this.#blockBytes += blockBytes;
  }

  saved(bytes: number): void {
    this.#savedMs = this.#clock.monotonic();
    this.#savedBytes = bytes;
    this.#blockBytes = 0;
    this.#readings = 0;
  }
}
