import { getOrMake } from '@edgeward/shared/maps';

/** Which blocks there were among a few: mostly one of each epoch, so that its seq alone is kept. */
export class Seen {
  readonly #first = new Map<string, number>();
  readonly #others = new Map<string, Set<number>>();

  /** @param key  of `epochKey` */
  isFirst(key: string, seq: number): boolean {
    const first = this.#first.get(key);
    if (first === undefined) {
      this.#first.set(key, seq);
      return true;
    }
    if (first === seq) return false;
    const others = getOrMake(this.#others, key, () => new Set<number>());
    return others.size < others.add(seq).size;
  }
}
