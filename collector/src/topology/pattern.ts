import { getOrMake } from '@edgeward/shared/maps';

/** Whether a text fits a pattern in which each `*` stands for any run of characters. Never slower than their product. */
export function fits(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let [star, from] = [-1, 0];
  while (t < text.length)
    if (pattern[p] === '*') {
      star = p;
      from = t;
      p += 1;
    } else if (pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      from += 1;
      t = from;
    } else return false;
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** The more of a name it spells out, the more it says. */
export function exactness(pattern: string): number {
  return pattern.includes('*') ? pattern.replaceAll('*', '').length : Number.POSITIVE_INFINITY;
}

/** Behind names that are spelled out; none has it. */
const end = '\n';

/** Things by what their pattern begins with: of thousands only those are tried that may fit a name. */
export class ByStart<T> {
  readonly #found = new Map<string, T>();
  readonly #lengths = new Set<number>();

  getOrMake(pattern: string, make: () => T): T {
    const star = pattern.indexOf('*');
    const start = star < 0 ? pattern + end : pattern.slice(0, star);
    this.#lengths.add(start.length);
    return getOrMake(this.#found, start, make);
  }

  /** Of all patterns that the name begins as. */
  of(name: string): T[] {
    const found: T[] = [];
    for (const length of this.#lengths) {
      const one = length > name.length + 1 ? undefined : this.#found.get(`${name}${end}`.slice(0, length));
      if (one !== undefined) found.push(one);
    }
    return found;
  }
}
