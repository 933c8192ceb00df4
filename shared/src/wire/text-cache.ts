/** Gateways a collector hears from in turn, and more; about 200 bytes each. */
const most = 4096;

interface Kept {
  readonly high: number;
  readonly low: number;
  readonly count: number;
  readonly digits: number;
  readonly text: string;
}

/**
 * Texts that come again and again, by the numbers that a block has in their place. Whoever sends more of them than
 * there is room for has them all made anew, and does no other harm.
 */
export class TextCache {
  readonly #kept = new Map<number, Kept>();

  /** @param high, low  32 bits each  @param count, digits  what goes before them, if anything */
  get(high: number, low: number, count: number, digits: number): string | undefined {
    const kept = this.#kept.get(keyOf(high, low));
    if (!kept || kept.high !== (high | 0) || kept.low !== (low | 0)) return undefined;
    return kept.count === count && kept.digits === digits ? kept.text : undefined;
  }

  /** In place of any other of the same key. */
  keep(high: number, low: number, count: number, digits: number, text: string): string {
    if (this.#kept.size >= most) this.#kept.clear();
    this.#kept.set(keyOf(high, low), { high: high | 0, low: low | 0, count, digits, text });
    return text;
  }
}

/** Small enough not to be an object of its own. */
function keyOf(high: number, low: number): number {
  return (high ^ low) & 0x3fffffff;
}
