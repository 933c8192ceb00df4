/**
 * Gateways that are switched off each evening, without a goodbye: who was away twice in two weeks from about this time of
 * day on is not missed until it is away for longer. By the weekday once that is known twice: Fridays may be longer.
 */
import type { DeviceMemory } from '@edgeward/models/memory';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const rhythmMs = 15 * dayMs;
/** Shorter ones are outages. */
const leastMs = 30 * 60_000;
/** From this much before to this much after the same time of day. */
const aroundMs = 1.5 * hourMs;
const longer = 1.25;
const mostAways = 20;
const mostGateways = 10_000;

interface Away {
  /** By the wall clock. */
  readonly fromMs: number;
  readonly ms: number;
}

export class AwayHabits {
  readonly #aways = new Map<string, readonly Away[]>();

  /** It is back. */
  note(gateway: string, fromMs: number, ms: number): void {
    if (ms < leastMs || (!this.#aways.has(gateway) && this.#aways.size >= mostGateways)) return;
    const known = this.#recent(gateway, fromMs);
    this.#aways.set(gateway, [...known, { fromMs, ms }].slice(-mostAways));
  }

  /** For how long it may be away that went at this time, ms; 0 = that is no habit. */
  usualMs(gateway: string, fromMs: number): number {
    const near = this.#recent(gateway, fromMs).filter(away => isNear(fromMs - away.fromMs, dayMs));
    const sameDay = near.filter(away => isNear(fromMs - away.fromMs, 7 * dayMs));
    const [, second] = (sameDay.length >= 2 ? sameDay : near).map(({ ms }) => ms).sort((a, b) => b - a);
    return longer * (second ?? 0);
  }

  /** All that is of use at a later start. */
  save(nowMs: number): DeviceMemory[] {
    return [...this.#aways.keys()].flatMap(name => {
      const aways = this.#recent(name, nowMs);
      const newest = aways.at(-1);
      if (!newest) return [];
      const numbers = Float64Array.from(aways.flatMap(({ fromMs, ms }) => [fromMs, ms]));
      return [{ name, newestMs: newest.fromMs, numbers }];
    });
  }

  load(memories: readonly DeviceMemory[]): void {
    for (const { name, numbers } of memories.slice(0, mostGateways)) {
      const aways = Array.from({ length: numbers.length >> 1 }, (_, i) => ({
        fromMs: numbers[2 * i]!,
        ms: numbers[2 * i + 1]!,
      }));
      this.#aways.set(name, aways.slice(-mostAways));
    }
  }

  /** Also where the clock was set back. */
  #recent(gateway: string, nowMs: number): readonly Away[] {
    return (this.#aways.get(gateway) ?? []).filter(({ fromMs }) => Math.abs(nowMs - fromMs) < rhythmMs);
  }
}

function isNear(ms: number, everyMs: number): boolean {
  const off = Math.abs(ms) % everyMs;
  return Math.min(off, everyMs - off) <= aroundMs;
}
