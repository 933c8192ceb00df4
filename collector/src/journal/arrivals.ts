/** When blocks came, roughly, and how many rows they have: for whoever wants to know how far somebody lags. */
export class Arrivals {
  /** Ascending. */
  #marks: { readonly position: number; readonly ms: number }[] = [];
  #blocks = 0;
  #rows = 0;

  /** One block, or several that came together. */
  note(position: number, ms: number, blocks: number, rows: number): void {
    const last = this.#marks.at(-1);
    if (!last || ms - last.ms >= everyMs || ms < last.ms) this.#marks.push({ position, ms });
    if (this.#marks.length > maxMarks) this.#marks = this.#marks.filter((_, i) => i % 2 === 0);
    this.#blocks += blocks;
    this.#rows += rows;
    if (this.#blocks < maxBlocks) return;
    this.#blocks /= 2;
    this.#rows /= 2;
  }

  /** When the first block behind a position came, or a little earlier. */
  after(position: number): number | undefined {
    let [low, high] = [0, this.#marks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#marks[middle]!.position <= position + 1) low = middle + 1;
      else high = middle;
    }
    return this.#marks[Math.max(0, low - 1)]?.ms;
  }

  /** On average, of late. */
  get rowsPerBlock(): number {
    return this.#blocks === 0 ? 0 : this.#rows / this.#blocks;
  }
}

const everyMs = 250;
const maxMarks = 20_000;
/** Of which the average is made. */
const maxBlocks = 10_000;
