import type { Memory } from '../memory.js';

/**
 * The last rows of a device: means over several windows and changes, at a cost that does not depend on the windows'
 * lengths. Sums are taken anew at every round of the ring, so that no rounding error outlives a round.
 */
export class RowWindow {
  readonly #size: number;
  readonly #ring: Float64Array;
  /** [windows × channels] */
  readonly #sums: Float64Array;
  #count = 0;

  /**
   * @param windows  in rows
   * @param keep     rows that `change` may reach back
   */
  constructor(
    private readonly channels: number,
    private readonly windows: readonly number[],
    keep: number,
  ) {
    this.#size = Math.max(keep, ...windows) + 1;
    this.#ring = new Float64Array(this.#size * channels);
    this.#sums = new Float64Array(windows.length * channels);
  }

  get rows(): number {
    return this.#count;
  }

  push(row: Float64Array): void {
    const { channels, windows } = this;
    const at = this.#count % this.#size;
    this.#ring.set(row, at * channels);
    this.#count += 1;
    for (let w = 0; w < windows.length; w++) {
      const gone = this.#count > windows[w]! ? this.#at(windows[w]!) * channels : -1;
      for (let c = 0; c < channels; c++)
        this.#sums[w * channels + c]! += row[c]! - (gone < 0 ? 0 : this.#ring[gone + c]!);
    }
    if (at === this.#size - 1) this.#sumAnew();
  }

  /** Mean of a channel over the last rows of a window, or over those there are. */
  mean(window: number, channel: number): number {
    return this.#sums[window * this.channels + channel]! / Math.min(this.#count, this.windows[window]!);
  }

  /** Newest value less the one so many rows before, or less the first there is. */
  change(rows: number, channel: number): number {
    const back = Math.min(rows, this.#count - 1);
    return (
      this.#ring[this.#at(0) * this.channels + channel]! -
      this.#ring[this.#at(back) * this.channels + channel]!
    );
  }

  reset(): void {
    this.#ring.fill(0);
    this.#sums.fill(0);
    this.#count = 0;
  }

  remember(memory: Memory): void {
    memory.array(this.#ring);
    memory.array(this.#sums);
    this.#count = memory.count(this.#count);
  }

  /** Place in the ring of the row so many rows before the newest. */
  #at(back: number): number {
    return (this.#count - 1 - back + this.#size * 2) % this.#size;
  }

  #sumAnew(): void {
    this.#sums.fill(0);
    for (let w = 0; w < this.windows.length; w++) {
      const rows = Math.min(this.#count, this.windows[w]!);
      for (let back = 0; back < rows; back++) {
        const from = this.#at(back) * this.channels;
        for (let c = 0; c < this.channels; c++) this.#sums[w * this.channels + c]! += this.#ring[from + c]!;
      }
    }
  }
}
