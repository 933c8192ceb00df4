import type { SwitchState } from './switching-model.js';

/** What a state's means may be, ready for use. */
export class StateLimits {
  readonly #channels: Uint16Array;
  /** [judged × fields] */
  readonly #weights: Float64Array;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #usualLow: Float64Array;
  readonly #usualHigh: Float64Array;
  readonly #witness: Float64Array;

  constructor({ judged, usual }: Pick<SwitchState, 'judged' | 'usual'>) {
    this.#channels = Uint16Array.from(judged, ({ channel }) => channel);
    this.#weights = Float64Array.from(judged.flatMap(({ weights }) => weights));
    this.#low = Float64Array.from(judged, ({ low }) => low);
    this.#high = Float64Array.from(judged, ({ high }) => high);
    this.#usualLow = Float64Array.from(usual, ([low]) => low);
    this.#usualHigh = Float64Array.from(usual, ([, high]) => high);
    this.#witness = new Float64Array(usual.length);
  }

  /**
   * Of the judged channel that is farthest out; 1 at its limits.
   * @param means  [fields] standardised
   */
  ratio(means: Float64Array): number {
    this.#take(means);
    let highest = 0;
    for (let j = 0; j < this.#channels.length; j++) {
      const off = Math.abs(this.#offOf(j, means));
      if (off > highest) highest = off;
    }
    return highest;
  }

  /** Per judged channel: how far it is from the middle of its limits, ±1 at them. */
  offs(means: Float64Array): number[] {
    this.#take(means);
    return Array.from(this.#channels, (_, j) => this.#offOf(j, means));
  }

  /**
   * Per judged channel, how much nearer the limits' middle all of them would be, squared, if it were what the others let
   * expect: one channel that went astray takes others along that are judged by it, and comes first by this.
   */
  blame(means: Float64Array): number[] {
    const whole = this.#distance(means);
    return Array.from(this.#channels, (channel, j) => {
      const mended = means.slice();
      mended[channel] = this.expected(j, means) + (this.#low[j]! + this.#high[j]!) / 2;
      return Math.max(0, whole - this.#distance(mended));
    });
  }

  /** What the others let expect of a judged channel, standardised. */
  expected(j: number, means: Float64Array): number {
    this.#take(means);
    return this.#expected(j);
  }

  #distance(means: Float64Array): number {
    return this.offs(means).reduce((sum, off) => sum + off * off, 0);
  }

  /** As witnesses, channels stay within what is usual: one that went astray shall not make the others look so, too. */
  #take(means: Float64Array): void {
    for (let c = 0; c < means.length; c++) {
      const [mean, low, high] = [means[c]!, this.#usualLow[c]!, this.#usualHigh[c]!];
      this.#witness[c] = mean < low ? low : mean > high ? high : mean;
    }
  }

  #offOf(j: number, means: Float64Array): number {
    const [low, high] = [this.#low[j]!, this.#high[j]!];
    return (2 * (means[this.#channels[j]!]! - this.#expected(j)) - low - high) / (high - low);
  }

  #expected(j: number): number {
    const fields = this.#witness.length;
    let expected = 0;
    for (let c = 0; c < fields; c++) expected += this.#weights[j * fields + c]! * this.#witness[c]!;
    return expected;
  }
}
