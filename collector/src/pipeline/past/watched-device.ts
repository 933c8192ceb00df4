/** One pipeline device against its own past, minute by minute: since when it is out, and in what. */
import type { Memory } from '@edgeward/models/memory';
import type { Feature } from './features.js';
import { OwnPast } from './own-past.js';

/** So many times what it usually strays is out. */
const outTimes = 6;
const leastUsual = 0.02;
/** Minutes that it has to be out, and the share of what made it out below which it is no longer. */
const outMinutes = 3;
const stillOut = 0.6;
/** What has been so for a day is how things are now. */
const acceptedMs = 24 * 3_600_000;
/** After a gap of so many minutes its averages begin anew. */
const gapMinutes = 10;
const minuteMs = 60_000;

export class WatchedDevice {
  readonly past: OwnPast;
  /** Since when it is out, ms by the wall clock; undefined = it is not. */
  sinceMs: number | undefined;
  /** What was out first; it names the trouble as long as that lasts. */
  first: Feature | undefined;
  /** An incident of it may be open. */
  isTold = false;
  newestMs = Number.NEGATIVE_INFINITY;
  /** [F] minutes in a row; 0 = not out. */
  readonly #out: Uint32Array;
  readonly #sums: Float64Array;
  readonly #counts: Uint16Array;
  #minute = Number.NaN;

  /** @param offsetMs  when its minutes begin: not those of all at once */
  constructor(
    readonly features: readonly Feature[],
    private readonly offsetMs = 0,
  ) {
    this.past = new OwnPast(features);
    this.#out = new Uint32Array(features.length);
    this.#sums = new Float64Array(features.length);
    this.#counts = new Uint16Array(features.length);
  }

  /** @param value  of feature f at a look; NaN = not there */
  add(f: number, value: number): void {
    if (!Number.isFinite(value)) return;
    this.#sums[f]! += value;
    this.#counts[f]! += 1;
  }

  /** After each look: judges the last minute once it is over. */
  look(nowMs: number): void {
    const minute = Math.floor((nowMs + this.offsetMs) / minuteMs);
    if (minute === this.#minute) return;
    const hasBegun = !Number.isNaN(this.#minute);
    this.#minute = minute;
    const values = Float64Array.from(this.#sums, (sum, f) => sum / this.#counts[f]!);
    this.skip();
    if (!hasBegun) return;
    if (Math.abs(nowMs - this.newestMs) > gapMinutes * minuteMs) this.#calm();
    this.newestMs = nowMs;
    this.past.next(nowMs, values, this.sinceMs === undefined);
    this.#judge(nowMs, values);
    if (this.sinceMs !== undefined && nowMs - this.sinceMs > acceptedMs) {
      this.past.accept();
      this.#calm();
    }
  }

  /** What has come of this minute tells nothing. */
  skip(): void {
    this.#sums.fill(0);
    this.#counts.fill(0);
  }

  /** It is away, or sends what had waited: nothing is out while nothing is known. */
  leave(): void {
    this.skip();
    if (this.sinceMs !== undefined) this.#calm();
  }

  /** Features that are out, farthest first. */
  out(): number[] {
    return [...this.#out.keys()]
      .filter(f => this.#out[f]! >= outMinutes)
      .sort((a, b) => this.ratio(b) - this.ratio(a));
  }

  /** Of how far it is out to how far it would have to be; NaN = not known. */
  ratio(f: number): number {
    return this.past.stray[f]! / this.#outFrom(f);
  }

  /** What it has been of late, what is usual at this hour, and where it would be out; in the unit of the field. */
  values(f: number): { readonly value: number; readonly usual: number; readonly limit: number } {
    const { floor, worse } = this.features[f]!;
    const sign = worse === 'high' ? 1 : -1;
    const [expected, stray] = [this.past.expected[f]!, this.past.stray[f]!];
    const of = (far: number) => Math.max(0, Math.exp(expected + sign * far) - floor);
    return { value: of(stray), usual: of(0), limit: of(this.#outFrom(f)) };
  }

  remember(memory: Memory): void {
    this.past.remember(memory);
    memory.array(this.#out);
    const sinceMs = memory.number(this.sinceMs ?? Number.NaN);
    const first = memory.count(1 + (this.first ? this.features.indexOf(this.first) : -1));
    if (first > this.features.length) throw new RangeError(`there is no feature ${first}`);
    this.sinceMs = Number.isNaN(sinceMs) ? undefined : sinceMs;
    this.first = this.features[first - 1];
    this.isTold = memory.count(Number(this.isTold)) === 1;
  }

  /** Goes on where another was, which last judged a minute at `newestMs`: after a while that says nothing of now. */
  resume(newestMs: number, nowMs: number): void {
    this.newestMs = newestMs;
    if (Math.abs(nowMs - newestMs) > gapMinutes * minuteMs) this.#calm();
  }

  /** In logarithms. */
  #outFrom(f: number): number {
    const usual = Math.max(leastUsual, this.past.usualStray[f]!);
    return Math.max(Math.log(this.features[f]!.factor), outTimes * usual);
  }

  #judge(nowMs: number, values: Float64Array): void {
    for (let f = 0; f < this.#out.length; f++) {
      const ratio = this.ratio(f);
      const minutes = this.#out[f]!;
      const isOut = !Number.isNaN(values[f]!) && ratio >= (minutes >= outMinutes ? stillOut : 1);
      this.#out[f] = isOut ? Math.min(outMinutes, minutes + 1) : 0;
    }
    const [first] = this.out();
    if (first === undefined) this.#over();
    else if (this.sinceMs === undefined) {
      this.sinceMs = nowMs;
      this.first = this.features[first];
    }
  }

  #calm(): void {
    this.past.interrupt();
    this.#out.fill(0);
    this.#over();
  }

  #over(): void {
    this.sinceMs = undefined;
    this.isTold = false;
  }
}
