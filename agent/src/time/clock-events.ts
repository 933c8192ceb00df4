import type { AgentEvent } from '@edgeward/shared/contracts';

/** Says what happened to the clock; `details.offsetMs` by how much it is ahead of what it was, or of the collector's. */
export type ClockEvent = Pick<AgentEvent, 'text' | 'details'> & { readonly kind: 'clock' };
export type TellClock = (event: ClockEvent) => void;

const differenceEveryMs = 3_600_000;

/** Words events, and keeps one that would come again and again to once an hour. */
export class ClockTeller {
  readonly #tell: TellClock;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(tell: TellClock = () => undefined) {
    this.#tell = tell;
  }

  /** The wall clock moved against the monotonic one. */
  stepped(byMs: number): void {
    const direction = byMs > 0 ? 'ahead' : 'back';
    this.#event(`The gateway's clock was set ${direction} by ${span(byMs)}.`, byMs);
  }

  /** It moved ahead, and that may be the time the machine slept. */
  steppedOrSlept(byMs: number): void {
    this.#event(`The gateway's clock was set ahead by ${span(byMs)}, or the machine slept.`, byMs);
  }

  /**
   * @param aheadMs      of the collector's
   * @param toleranceMs  less is no difference
   * @param nowMs        monotonic
   */
  differs(aheadMs: number, toleranceMs: number, nowMs: number): void {
    if (Math.abs(aheadMs) <= toleranceMs || nowMs - this.#toldMs < differenceEveryMs) return;
    this.#toldMs = nowMs;
    const direction = aheadMs > 0 ? 'ahead of' : 'behind';
    this.#event(`The gateway's clock is ${span(aheadMs)} ${direction} the collector's.`, aheadMs);
  }

  #event(text: string, offsetMs: number): void {
    this.#tell({ kind: 'clock', text, details: { offsetMs: Math.round(offsetMs) } });
  }
}

const units: readonly (readonly [string, number])[] = [
  ['days', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
];

function span(ms: number): string {
  const size = Math.abs(ms);
  const [unit, unitMs] = units.find(([, least]) => size >= 2 * least) ?? ['s', 1000];
  return `${(size / unitMs).toFixed(1)} ${unit}`;
}
