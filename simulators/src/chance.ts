import { seededRng, subSeed } from '@edgeward/shared/rng';
import { exp, log } from './maths.js';

/** One seeded stream of chance; every purpose of every device has its own, so that none shifts another's. */
export class Chance {
  readonly #rng: () => number;
  #spare = 0;
  #hasSpare = false;

  constructor(seed: number, purpose: string) {
    this.#rng = seededRng(mix(subSeed(seed, purpose)));
  }

  /** [0, 1). */
  next(): number {
    return this.#rng();
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.#rng();
  }

  /** A parameter that differs from device to device by at most `share`. */
  spread(nominal: number, share = 0.03): number {
    return nominal * this.between(1 - share, 1 + share);
  }

  /** Waiting time of a Poisson process. */
  wait(mean: number): number {
    return -mean * log(1 - this.#rng());
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#rng() * items.length)];
    if (item === undefined) throw new TypeError('nothing to pick from');
    return item;
  }

  /** Standard normal numbers by Marsaglia's polar method (1964). */
  normal(): number {
    if (this.#hasSpare) {
      this.#hasSpare = false;
      return this.#spare;
    }
    for (;;) {
      const x = 2 * this.#rng() - 1;
      const y = 2 * this.#rng() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * log(square)) / square);
      this.#spare = y * factor;
      this.#hasSpare = true;
      return x * factor;
    }
  }
}

/** Final mixing of MurmurHash3: names that differ in one letter give seeds that differ in every bit. */
function mix(seed: number): number {
  let h = seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * A quantity that wanders about zero (Ornstein and Uhlenbeck 1930), stepped once a second, exactly.
 * Starts anywhere in its stationary range.
 */
export class Wander {
  value: number;
  readonly #keep: number;
  readonly #kick: number;
  readonly #chance: Chance;

  constructor(chance: Chance, sigma: number, timeConstantS: number) {
    this.#chance = chance;
    this.#keep = exp(-1 / timeConstantS);
    this.#kick = sigma * Math.sqrt(1 - this.#keep * this.#keep);
    this.value = sigma * chance.normal();
  }

  step(): void {
    this.value = this.value * this.#keep + this.#kick * this.#chance.normal();
  }
}

/** A level that jumps: something is switched, stays so for a while, and is switched again. */
export class Steps {
  /** Where it has come, between −1 and 1; the jump itself takes `rampS`. */
  value = 0;
  #target: number;
  #nextS: number;
  readonly #chance: Chance;
  readonly #meanS: number;
  readonly #rate: number;

  constructor(chance: Chance, meanS: number, rampS: number) {
    this.#chance = chance;
    this.#meanS = meanS;
    this.#rate = 1 / rampS;
    this.#target = chance.between(-1, 1);
    this.#nextS = chance.wait(meanS);
    this.value = this.#target;
  }

  step(): void {
    this.#nextS -= 1;
    if (this.#nextS <= 0) {
      this.#target = this.#chance.between(-1, 1);
      this.#nextS = this.#chance.wait(this.#meanS);
    }
    const gap = this.#target - this.value;
    this.value += Math.abs(gap) <= this.#rate ? gap : gap > 0 ? this.#rate : -this.#rate;
  }
}
