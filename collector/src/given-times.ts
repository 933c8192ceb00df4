/** The newest times that one device was given, in whole µs: rows of a device at one time would be one at some sinks. */
export class GivenTimes {
  /** Both ends are given, and all between; the one begun last stands last. */
  readonly #spans: { readonly from: number; through: number }[] = [];

  /** @returns `us`, or the first time behind it that is free */
  claim(us: number): number {
    let free = us;
    for (let taken = this.#around(free); taken; taken = this.#around(free)) free = taken.through + 1;
    const grown = this.#around(free - 1);
    if (grown) grown.through = free;
    else this.#spans.push({ from: free, through: free });
    if (this.#spans.length > maxSpans) this.#spans.shift();
    return free;
  }

  #around(us: number) {
    return this.#spans.findLast(({ from, through }) => from <= us && us <= through);
  }
}

const maxSpans = 256;
