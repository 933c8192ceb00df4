/**
 * A stretch of times that were given to rows of one device, as its ends and the set of their fractions of a
 * millisecond: a time can have been given only if it lies between the ends and its fraction is in the set. Times on
 * a grid of milliseconds, which is what clocks and devices give, need one fraction however long the stretch is.
 * Where there are many fractions the stretch ends after some hundred times, so that the set still tells them apart.
 */
const fractions = 1000;
const words = Math.ceil(fractions / 32);
/** With no more than these a stretch may be as long as it likes. */
const gridFractions = 64;
/** With more, it ends after so many times: about half of all fractions are then in the set. */
const maxTimes = 700;
/** A time this far ahead is another stretch, µs. */
const maxGapUs = 10 * 60 * 1e6;

export class TimeSpan {
  /** µs, both inclusive. */
  from: number;
  through: number;
  /** Every microsecond between the ends was given. */
  solid = true;
  #times = 1;
  #count = 0;
  readonly #bits = new Uint32Array(words);

  constructor(us: number) {
    this.from = us;
    this.through = us;
    this.#set(fractionOf(us));
  }

  /** Adds to the set those that were, or may have been, given here. */
  addFractionsTo(set: Uint32Array): void {
    for (let w = 0; w < words; w++) set[w]! |= this.#bits[w]!;
  }

  /** Whether a time between the ends was, or may have been, given. */
  has(us: number): boolean {
    return this.#has(fractionOf(us));
  }

  /** Takes a time that is like the others: false if it lies elsewhere or is of another kind. */
  goesOn(us: number): boolean {
    return this.#take(us, false);
  }

  /** Takes a time behind the end, of whatever kind: false if it lies elsewhere or the stretch is full. */
  add(us: number): boolean {
    return this.#take(us, true);
  }

  #take(us: number, another: boolean): boolean {
    if (us <= this.through || us > this.through + maxGapUs) return false;
    const fraction = fractionOf(us);
    const continues = this.solid && us === this.through + 1;
    if (!continues) {
      const known = this.#has(fraction);
      const many = this.#count + (known ? 0 : 1) > gridFractions;
      if (many ? this.#times >= maxTimes : !known && !another) return false;
      this.solid = false;
    }
    this.#set(fraction);
    this.#times += 1;
    this.through = us;
    return true;
  }

  /** Takes in what the other one holds. False if the two together would be no grid. */
  unite(other: TimeSpan): boolean {
    const most = Math.max(this.#count, other.#count);
    if (most > gridFractions || unitedCount(this.#bits, other.#bits) > gridFractions) return false;
    other.addFractionsTo(this.#bits);
    this.#count = unitedCount(this.#bits, this.#bits);
    this.#times += other.#times;
    this.solid = false;
    this.from = Math.min(this.from, other.from);
    this.through = Math.max(this.through, other.through);
    return true;
  }

  toJSON(): SpanState {
    const bytes = Buffer.from(this.#bits.buffer, this.#bits.byteOffset, this.#bits.byteLength);
    return [this.from, this.through, this.solid, this.#times, bytes.toString('base64')];
  }

  /** One in which every microsecond counts as given. */
  static whole(from: number, through: number): TimeSpan {
    const span = new TimeSpan(from);
    for (let us = from + 1; us <= Math.min(through, from + fractions); us++) span.add(us);
    span.through = through;
    span.#times = through - from + 1;
    return span;
  }

  /** @throws TypeError for what `toJSON` never makes */
  static from([from, through, solid, times, bits]: SpanState): TimeSpan {
    const bytes = Buffer.from(bits, 'base64');
    if (!(from <= through && times > 0) || bytes.length !== words * 4)
      throw new TypeError('not a span of times');
    const span = new TimeSpan(from);
    span.through = through;
    span.solid = solid;
    span.#times = times;
    Buffer.from(span.#bits.buffer).set(bytes);
    span.#count = unitedCount(span.#bits, span.#bits);
    return span;
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

/** From and through, µs; whether solid; how many times; the set of fractions in base64. */
export type SpanState = readonly [from: number, through: number, solid: boolean, times: number, bits: string];

export function newFractionSet(): Uint32Array {
  return new Uint32Array(words);
}

/** @returns the first time from `us` through `through` whose fraction is not in the set, undefined if there is none */
export function firstWithout(set: Uint32Array, us: number, through: number): number | undefined {
  let fraction = fractionOf(us);
  // After all fractions they come again.
  const last = Math.min(through, us + fractions - 1);
  for (let at = us; at <= last; at++) {
    if ((set[fraction >> 5]! & (1 << (fraction & 31))) === 0) return at;
    fraction = fraction + 1 === fractions ? 0 : fraction + 1;
  }
  return undefined;
}

function fractionOf(us: number): number {
  const rest = us - fractions * Math.floor(us / fractions); // a division is several times faster than %
  return rest < 0 ? rest + fractions : rest >= fractions ? rest - fractions : rest;
}

function unitedCount(a: Uint32Array, b: Uint32Array): number {
  let sum = 0;
  for (let w = 0; w < words; w++) sum += ones(a[w]! | b[w]!);
  return sum;
}

function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (((n + (n >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
