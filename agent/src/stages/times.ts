/**
 * Keeps the times of one device unique. Stores that know a row by device and time, InfluxDB for one, would
 * silently overwrite the first of two equal ones. They see microseconds, and so does this.
 *
 * What is promised
 * - Times on a grid of milliseconds, or with at most 500 different fractions of one, are never given twice, however
 *   often and far the clock is set back.
 * - Of times with arbitrary microseconds, given in rising order between jumps, the last 9,000 are not given again.
 * - A row moves to the next microsecond that is known to be free. That is the next one, but for stretches that were
 *   passed many times or with arbitrary microseconds.
 * - At most 16 kB; a device whose clock is never set back needs 400 bytes.
 */
import { maxFractions, type SpanState, TimeSpan } from '../time/time-span.js';

const maxSpans = 40;
/** A time this far ahead of all that was given begins a new span. */
const maxGapUs = 10 * 60 * 1e6;
const rewindUs = 1e6;

/** JSON. */
export interface TimesState {
  /** µs; the last time given to a row just read, null before the first. */
  readonly at: number | null;
  readonly spans: readonly SpanState[];
}

export class TimeMemory {
  /** Least recently used first; they may overlap. */
  #spans: TimeSpan[];
  #highest: number;
  #lastAsked = Number.NEGATIVE_INFINITY;
  #lastGiven = Number.NEGATIVE_INFINITY;
  readonly #onRewind: () => void;

  /** @param onRewind  told when a time lies more than a second before that of the row before it */
  constructor(onRewind: () => void = () => undefined, state?: TimesState) {
    this.#onRewind = onRewind;
    this.#spans = (state?.spans ?? []).slice(-maxSpans).map(span => TimeSpan.from(span));
    this.#highest = Math.max(Number.NEGATIVE_INFINITY, ...this.#spans.map(({ through }) => through));
    if (state?.at === undefined || state.at === null) return;
    this.#lastAsked = state.at;
    this.#lastGiven = state.at;
  }

  /** Whether this time lies before that of the row before it. */
  isBackwards(us: number): boolean {
    return us < this.#lastAsked;
  }

  /** The same time, or the next free microsecond after it. */
  claim(us: number): number {
    // Many rows at one time continue where the last one was put, instead of searching again from the start.
    const free = this.#give(us === this.#lastAsked ? this.#lastGiven + 1 : us);
    if (us < this.#lastAsked - rewindUs) this.#onRewind();
    this.#lastAsked = us;
    this.#lastGiven = free;
    return free;
  }

  /** The same for a time that was not read now: the order of what is read stays as it is. */
  claimCorrected(us: number): number {
    return this.#give(us);
  }

  /** µs; the last time claimed for a row just read, -Infinity before the first. */
  get at(): number {
    return this.#lastGiven;
  }

  /** Everything between counts as given. */
  reserve(from: number, through: number): void {
    this.#spans.push(TimeSpan.whole(from, through));
    this.#highest = Math.max(this.#highest, through);
    this.#shrink();
  }

  toJSON(): TimesState {
    const at = Number.isFinite(this.#lastGiven) ? this.#lastGiven : null;
    return { at, spans: this.#spans.map(span => span.toJSON()) };
  }

  #give(us: number): number {
    const free = us > this.#highest ? us : this.#nextFree(us);
    this.#remember(free);
    this.#highest = Math.max(this.#highest, free);
    return free;
  }

  #nextFree(us: number): number {
    for (let at = us; ; ) {
      const around = this.#spans.filter(span => span.distance(at) === 0);
      if (around.length === 0) return at;
      const through = this.#unchangedThrough(at);
      // After all fractions they come again: if none was free there is none in this stretch.
      const last = Math.min(through, at + 999);
      for (; at <= last; at++) if (!around.some(span => span.hasFractionOf(at))) return at;
      at = through + 1;
    }
  }

  /** Up to there the spans around are the same. */
  #unchangedThrough(us: number): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const { from, through } of this.#spans) {
      if (from > us) nearest = Math.min(nearest, from - 1);
      else if (through >= us) nearest = Math.min(nearest, through);
    }
    return nearest;
  }

  #remember(us: number): void {
    // Each pass over a stretch keeps its own span, which has its own fraction: in another's it would take a new
    // fraction with every row.
    const i = this.#spans.at(-1)?.continuesAt(us) ? this.#spans.length - 1 : this.#spanFor(us);
    if (i < 0 || !this.#spans[i]!.add(us)) {
      this.#spans.push(new TimeSpan(us));
      this.#shrink();
    } else if (i < this.#spans.length - 1) {
      this.#spans.push(...this.#spans.splice(i, 1));
    }
  }

  /** Index of the last used span that ends before `us`, rather one that has its fraction; -1 = none. */
  #spanFor(us: number): number {
    let other = -1;
    for (let i = this.#spans.length - 1; i >= 0; i--) {
      const span = this.#spans[i]!;
      if (us <= span.through || us > span.through + maxGapUs) continue;
      if (span.hasFractionOf(us)) return i;
      if (other < 0 && span.count < maxFractions) other = i;
    }
    return other;
  }

  /** Two spans become one where that keeps times apart; otherwise the one not used for longest is forgotten. */
  #shrink(): void {
    if (this.#spans.length <= maxSpans) return;
    const spans = this.#spans;
    // The newest stays alone: it was begun because the others have no room for it.
    const pairs = Array.from({ length: spans.length - 2 }, (_, i) => i);
    const widening = pairs.map(i => {
      const [a, b] = [spans[i]!, spans[i + 1]!];
      return Math.max(a.from, b.from) - Math.min(a.through, b.through);
    });
    pairs.sort((i, j) => widening[i]! - widening[j]!);
    const united = pairs.find(i => spans[i + 1]!.unite(spans[i]!));
    spans.splice(united ?? 0, 1);
  }
}
