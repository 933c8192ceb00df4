/**
 * Whether the gateway's clock can be trusted, and what the true time is where it cannot.
 *
 * - The clock is in doubt when it shows a time before this release or before a time that is known to have been, when
 *   the operating system says that it was not synchronised, or when it was set without the operating system or the
 *   collector bearing it out.
 * - Then every block carries a stamp: this boot and its monotonic time. What was read waits, until the operating
 *   system has synchronised the clock, or the collector has told its time, or `waitMs` are over.
 * - The true time is monotonic time plus an offset that is one for the whole boot, so that rows read before it became
 *   known can be put right exactly, also by a later process.
 * - A clock that is not in doubt is believed, also where the collector's differs: that is told and changes no row.
 */
import type { Clock, RecordBatch } from '@edgeward/shared/contracts';
import type { BlockClock } from '@edgeward/shared/wire';
import { type Boot, systemBoot } from './boot.js';
import { ClockTeller, type TellClock } from './clock-events.js';
import { type BootTimes, KnownBoots } from './known-boots.js';
import { type OsClock, osClock } from './os-clock.js';
import { releasedMs } from './release.js';
import { ClockSteps, stepMs } from './steps.js';

export interface Correction {
  /** ms, to add to the times of the rows. */
  readonly offsetMs: number;
  /** Mark them `timeUnsure`. */
  readonly unsure: boolean;
}

/** JSON; kept by the outbox. */
export interface TimekeeperState {
  /** The latest wall time that is known to have been. */
  readonly lastKnownMs?: number;
  readonly boots?: BootTimes;
}

export interface TimekeeperOptions {
  readonly clock: Clock;
  readonly trust: 'auto' | 'always';
  /** How long rows wait for the right time. */
  readonly waitMs: number;
  readonly state?: TimekeeperState;
  /** Told when the clock was set, and when it differs from the collector's. */
  readonly onEvent?: TellClock;
  readonly boot?: Boot;
  /** For tests. */
  readonly os?: () => OsClock;
  readonly releasedMs?: number;
}

/** Clocks that differ by less are the same. */
const toleranceMs = 2000;
/** Two clocks read one after the other, and steered, seem to differ by this. */
const noiseMs = 10;
const checkEveryMs = 1000;
const askOsEveryMs = 5000;

export class Timekeeper {
  readonly #options: TimekeeperOptions;
  readonly #os: () => OsClock;
  readonly #known: KnownBoots;
  readonly #tell: ClockTeller;
  readonly #steps: ClockSteps;
  readonly #listeners = new Set<() => void>();
  #boot: Boot;
  #lastKnownMs: number;
  /** Monotonic time since which the clock is in doubt; undefined = believed. */
  #doubtMs: number | undefined;
  /** The wait is over, and that was told. */
  #gaveUp = false;
  /** By the collector: true minus monotonic time. */
  #learnedMs: number | undefined;
  #askedOsMs: number;

  constructor(options: TimekeeperOptions) {
    const { clock, state = {}, boot = systemBoot() } = options;
    this.#options = options;
    this.#os = options.os ?? osClock;
    this.#boot = boot;
    this.#known = new KnownBoots(state.boots);
    this.#lastKnownMs = state.lastKnownMs ?? 0;
    this.#tell = new ClockTeller(options.onEvent);
    const nowMs = boot.monotonic();
    this.#askedOsMs = nowMs;
    this.#steps = new ClockSteps(clock.now(), nowMs);
    this.#learnedMs = this.#known.get(boot.id);
    if (options.trust === 'auto' && !this.#isBorneOut() && this.#isDoubtful()) this.#doubtMs = nowMs;
  }

  get status(): 'synchronised' | 'unsure' {
    return this.#doubtMs === undefined ? 'synchronised' : 'unsure';
  }

  /** The clock less the collector's, as last told; undefined = it has not told this boot. */
  get offsetMs(): number | undefined {
    if (this.#learnedMs === undefined) return undefined;
    return this.#options.clock.now() - (this.#learnedMs + this.#boot.monotonic());
  }

  /** For the header of a block that is made now: undefined while the clock is believed. */
  stamp(): BlockClock | undefined {
    if (this.#doubtMs === undefined) return undefined;
    return { boot: this.#boot.id, monotonicMs: Math.round(this.#boot.monotonic() * 1000) / 1000 };
  }

  /**
   * Call before a batch waits for anything: brings its rows on the clock as it is now, if that was set while they
   * were collected, and says what the header of their block needs.
   */
  seal(batch: RecordBatch): {
    readonly batch: RecordBatch;
    readonly atMs: number;
    readonly clock?: BlockClock;
  } {
    this.check();
    const clock = this.stamp();
    const atMs = this.#options.clock.now();
    const one =
      this.#options.trust === 'always' ? batch : this.#steps.onOneClock(batch, this.#boot.monotonic());
    return { batch: one, atMs, ...(clock && { clock }) };
  }

  /**
   * What puts rows right that were read when the clock showed `atMs` and the monotonic one `stamp`.
   * `wait`: ask again after `onChange`. `unknown-boot`: the machine was started anew before the time became known,
   * and nothing will tell now how long it was off; such rows go as they are, marked.
   */
  correctionFor({ boot, monotonicMs }: BlockClock, atMs: number): Correction | 'wait' | 'unknown-boot' {
    if (this.#options.trust === 'always') return { offsetMs: 0, unsure: false };
    const base = boot === this.#boot.id ? this.#base() : this.#known.get(boot);
    if (base !== undefined) {
      const offsetMs = base + monotonicMs - atMs;
      return { offsetMs: Math.abs(offsetMs) <= noiseMs ? 0 : offsetMs, unsure: false };
    }
    if (boot !== this.#boot.id) return 'unknown-boot';
    return this.#waitIsOver() ? { offsetMs: 0, unsure: true } : 'wait';
  }

  /**
   * The collector's time. The error is at most half the round trip.
   * @param collectorMs  its wall time when it answered
   * @param roundTripMs  from asking to having the answer, which is now
   */
  learn(collectorMs: number, roundTripMs: number): void {
    if (!Number.isFinite(collectorMs) || !(roundTripMs >= 0)) return;
    this.check();
    const nowMs = this.#boot.monotonic();
    const trueMs = collectorMs + roundTripMs / 2;
    this.#learnedMs = trueMs - nowMs;
    this.#tell.differs(this.#options.clock.now() - trueMs, toleranceMs + roundTripMs / 2, nowMs);
    if (this.#doubtMs === undefined) return;
    if (this.#isBorneOut()) this.#believe();
    else {
      this.#known.set(this.#boot.id, this.#learnedMs);
      this.#lastKnownMs = trueMs;
      this.#changed();
    }
  }

  /** Looks at the clocks; also done by `run`, `seal` and `learn`. */
  check(): void {
    const { clock, trust } = this.#options;
    const gap = this.#steps.aheadMs(clock.now(), this.#boot.monotonic()) > stepMs;
    const unclear = gap && this.#afterGap();
    const nowMs = this.#boot.monotonic();
    const byMs = this.#steps.check(clock.now(), nowMs);
    if (byMs !== undefined) this.#stepped(byMs, unclear);
    if (trust === 'always' || this.#doubtMs === undefined) return;
    if (nowMs - this.#askedOsMs >= askOsEveryMs) {
      this.#askedOsMs = nowMs;
      if (this.#isBorneOut()) this.#believe();
    }
    if (!this.#gaveUp && this.#waitIsOver()) {
      this.#gaveUp = true;
      this.#changed();
    }
  }

  /** Checks the clocks every second until `stop`. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.check();
      await this.#options.clock.sleep(checkEveryMs, stop);
    }
  }

  /**
   * Told when `correctionFor` may answer otherwise than before; called in the midst of `seal`, `learn` and `check`.
   * @returns undoes it
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be saved with the outbox's commits, and given to the next start. */
  state(): Required<TimekeeperState> {
    const base = this.#base();
    if (base !== undefined) this.#lastKnownMs = Math.max(this.#lastKnownMs, base + this.#boot.monotonic());
    return { lastKnownMs: this.#lastKnownMs, boots: this.#known.toJSON() };
  }

  /** True minus monotonic time, as far as it is known. */
  #base(): number | undefined {
    if (this.#doubtMs === undefined) return this.#options.clock.now() - this.#boot.monotonic();
    return this.#learnedMs;
  }

  /** Something other than the clock itself says that it is right. */
  #isBorneOut(): boolean {
    const wallMs = this.#options.clock.now();
    if (wallMs < (this.#options.releasedMs ?? releasedMs)) return false;
    if (this.#os() === 'synchronised') return true;
    if (this.#learnedMs === undefined) return false;
    return Math.abs(wallMs - (this.#learnedMs + this.#boot.monotonic())) <= toleranceMs;
  }

  /** The clock itself, or the operating system, says that it is wrong. */
  #isDoubtful(): boolean {
    const wallMs = this.#options.clock.now();
    const earliest = Math.max(this.#options.releasedMs ?? releasedMs, this.#lastKnownMs - toleranceMs);
    return wallMs < earliest || this.#os() === 'unsynchronised';
  }

  /** @param unclear  it may have been a sleep, of which the clock knows */
  #stepped(byMs: number, unclear: boolean): void {
    if (unclear) this.#tell.steppedOrSlept(byMs);
    else this.#tell.stepped(byMs);
    if (this.#options.trust === 'always') return;
    if (this.#isBorneOut()) this.#believe();
    else if (this.#doubtMs === undefined && !unclear) this.#doubt();
  }

  #believe(): void {
    if (this.#doubtMs === undefined) return;
    this.#doubtMs = undefined;
    this.#lastKnownMs = this.#options.clock.now();
    this.#known.set(this.#boot.id, this.#lastKnownMs - this.#boot.monotonic());
    this.#changed();
  }

  #doubt(): void {
    this.#doubtMs = this.#boot.monotonic();
    this.#gaveUp = false;
    if (this.#learnedMs !== undefined) this.#known.set(this.#boot.id, this.#learnedMs);
  }

  #waitIsOver(): boolean {
    if (this.#doubtMs === undefined || this.#learnedMs !== undefined) return false;
    return this.#boot.monotonic() - this.#doubtMs >= this.#options.waitMs;
  }

  /** @returns true where a set clock cannot be told from a sleep: nothing learned before holds now */
  #afterGap(): boolean {
    const boot = this.#boot.afterGap();
    if (boot.id === this.#boot.id) return false;
    this.#boot = boot;
    this.#learnedMs = undefined;
    if (this.#doubtMs !== undefined) this.#doubtMs = boot.monotonic();
    return true;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
