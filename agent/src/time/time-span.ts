/**
 * A stretch of times that were given to rows of one device, as its ends and the set of their fractions of a
 * millisecond: a time can have been given only if it lies between the ends and its fraction is in the set. Times on
 * a grid of milliseconds, which is what clocks and devices give, need one fraction however long the stretch is.
 */
const fractions = 1000;
const words = Math.ceil(fractions / 32);

/** Beyond half of all fractions the set says little. */
export const maxFractions = fractions / 2;

export class TimeSpan {
  /** µs, both inclusive. */
  from: number;
  through: number;
  /** Every microsecond between the ends was given. */
  solid = true;
  #count = 0;
  readonly #bits = new Uint32Array(words);

  constructor(us: number) {
    this.from = us;
    this.through = us;
    this.#set(fractionOf(us));
  }

  /** How many fractions are in the set. */
  get count(): number {
    return this.#count;
  }

  /** False: that time was not given here, though it lies between the ends. */
  hasFractionOf(us: number): boolean {
    return this.#has(fractionOf(us));
  }

  /** How far `us` lies outside, µs; 0 = between the ends. */
  distance(us: number): number {
    return Math.max(this.from - us, us - this.through, 0);
  }

  /** Every microsecond up to this one was given. */
  continuesAt(us: number): boolean {
    return this.solid && us === this.through + 1;
  }

  /** For a time behind the end. False if the span would no longer tell times apart; then nothing has changed. */
  add(us: number): boolean {
    const continues = this.continuesAt(us);
    const fraction = fractionOf(us);
    if (!continues && this.#count + (this.#has(fraction) ? 0 : 1) > maxFractions) return false;
    this.solid = continues;
    this.#set(fraction);
    this.through = us;
    return true;
  }

  /** Takes in what the other one holds. False if the two together would tell too little apart. */
  unite(other: TimeSpan): boolean {
    if (this.#count + other.#count > maxFractions && this.#unitedCount(other) > maxFractions) return false;
    for (let w = 0; w < words; w++) this.#bits[w]! |= other.#bits[w]!;
    this.#recount();
    this.solid = false;
    this.from = Math.min(this.from, other.from);
    this.through = Math.max(this.through, other.through);
    return true;
  }

  toJSON(): SpanState {
    const bytes = Buffer.from(this.#bits.buffer, this.#bits.byteOffset, this.#bits.byteLength);
    return [this.from, this.through, this.solid, bytes.toString('base64')];
  }

  /** One in which every microsecond counts as given. */
  static whole(from: number, through: number): TimeSpan {
    const span = new TimeSpan(from);
    for (let us = from + 1; us <= Math.min(through, from + fractions); us++) span.add(us);
    span.through = through;
    return span;
  }

  /** @throws TypeError for what `toJSON` never makes */
  static from([from, through, solid, bits]: SpanState): TimeSpan {
    const bytes = Buffer.from(bits, 'base64');
    if (!(from <= through) || bytes.length !== words * 4) throw new TypeError('not a span of times');
    const span = new TimeSpan(from);
    span.through = through;
    span.solid = solid;
    Buffer.from(span.#bits.buffer).set(bytes);
    span.#recount();
    return span;
  }

  #unitedCount(other: TimeSpan): number {
    return this.#bits.reduce((sum, word, w) => sum + ones(word | other.#bits[w]!), 0);
  }

  #recount(): void {
    this.#count = this.#bits.reduce((sum, word) => sum + ones(word), 0);
  }

  #has(fraction: number): boolean {
    return (this.#bits[fraction >> 5]! & (1 << (fraction & 31))) !== 0;
  }

  #set(fraction: number): void {
    const word = this.#bits[fraction >> 5]!;
    const bit = 1 << (fraction & 31);
    if ((word & bit) !== 0) return;
    this.#bits[fraction >> 5] = word | bit;
    this.#count += 1;
  }
}

/** From and through, µs; whether solid; the set of fractions in base64. */
export type SpanState = readonly [from: number, through: number, solid: boolean, bits: string];

function fractionOf(us: number): number {
  const rest = us - fractions * Math.floor(us / fractions); // a division is several times faster than %
  return rest < 0 ? rest + fractions : rest >= fractions ? rest - fractions : rest;
}

function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (((n + (n >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
