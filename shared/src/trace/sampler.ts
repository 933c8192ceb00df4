import type { Clock, Rng } from '../contracts.js';

export interface SamplerOptions {
  /** Of all blocks, 0 to 1. */
  readonly sampleRatio: number;
  /** Those with anything anomalous in them, too. */
  readonly anomalies: boolean;
  readonly rng: Rng;
  readonly clock: Clock;
}

/** A plant in alarm must not turn every block into a trace. */
const burst = 10;
const perSecond = 1;

/** Decides which blocks are traced. */
export class Sampler {
  readonly #options: SamplerOptions;
  #left = burst;
  #filledAtMs: number;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#filledAtMs = options.clock.monotonic();
  }

  /** @returns why it is traced; undefined = it is not */
  sample(anomalous: boolean): 'ratio' | 'anomaly' | undefined {
    const { sampleRatio, anomalies, rng } = this.#options;
    if (rng() < sampleRatio) return 'ratio';
    return anomalous && anomalies && this.#take() ? 'anomaly' : undefined;
  }

  #take(): boolean {
    const nowMs = this.#options.clock.monotonic();
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#filledAtMs) / 1000) * perSecond);
    this.#filledAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
