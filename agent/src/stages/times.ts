/**
 * Keeps the times of one device unique. Stores that know a row by device and time, InfluxDB for one, would
 * silently overwrite the first of two equal ones. They see microseconds, and so does this.
 *
 * What is promised
 * - Times on a grid of milliseconds, or with at most 64 different fractions of one, are not given twice, however
 *   far the clock is set back and however often, short of a thousand times over the same stretch.
 * - Of times with arbitrary microseconds the last 32 stretches are remembered: 700 times each, or fewer where the
 *   clock was set in between. That is about 22,000 times.
 * - A row moves to the next microsecond that is known to be free: mostly the next one, a few on where a stretch was
 *   passed several times or has arbitrary microseconds, and at most a second (further only past rows without a gap
 *   between them): before it would have to, what was given there first is forgotten.
 * - At most 16 kB; a device whose clock is never set back needs less than one.
 */
import { firstWithout, newFractionSet, type SpanState, TimeSpan } from '../time/time-span.js';

const maxSpans = 36;
/** Forgotten at once, so that it is not done for every row. */
const spansToForget = 4;
const maxMoveUs = 1e6;
/** A free time is mostly as near as this: looked for one by one, before whole stretches are compared. */
const nearUs = 8;
const scratch = newFractionSet();
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
    for (let at = us; at < us + nearUs; at++) if (!this.#mayBeGiven(at)) return at;
    let start = this.#behindSolid(us);
    for (let at = start; ; ) {
      scratch.fill(0);
      const through = this.#collect(at, scratch);
      const free = firstWithout(scratch, at, through);
      if (free !== undefined) return free;
      if (through >= start + maxMoveUs && this.#forgetAround(start)) {
        at = start;
        continue;
      }
      at = this.#behindSolid(through + 1);
      if (at > through + 1) start = at;
    }
  }

  #mayBeGiven(us: number): boolean {
    for (const span of this.#spans) if (span.from <= us && us <= span.through && span.has(us)) return true;
    return false;
  }

  /** The first time from there on that is not in the midst of times without a gap. */
  #behindSolid(us: number): number {
    const solid = this.#spans.find(span => span.solid && span.from <= us && us <= span.through);
    return solid ? this.#behindSolid(solid.through + 1) : us;
  }

  /** False if there is nothing to forget. */
  #forgetAround(us: number): boolean {
    const i = this.#spans.findIndex(span => span.from <= us && us <= span.through);
    if (i >= 0) this.#spans.splice(i, 1);
    return i >= 0;
  }

  /** @returns up to where the spans are the same as those around `us`, whose fractions are added to `set` */
  #collect(us: number, set: Uint32Array): number {
    let through = Number.POSITIVE_INFINITY;
    for (const span of this.#spans) {
      if (span.from > us) through = Math.min(through, span.from - 1);
      else if (span.through >= us) {
        through = Math.min(through, span.through);
        span.addFractionsTo(set);
      }
    }
    return through;
  }

  #remember(us: number): void {
    const spans = this.#spans;
    const newest = spans.length - 1;
    if (newest >= 0 && spans[newest]!.goesOn(us)) return;
    // Each pass over a stretch keeps its own span, which has its own fraction: in another's it would take a new
    // fraction with every row.
    let i = newest - 1;
    while (i >= 0 && !spans[i]!.goesOn(us)) i--;
    if (i < 0) i = spans.findLastIndex(span => span.add(us));
    if (i < 0) {
      spans.push(new TimeSpan(us));
      this.#shrink();
    } else if (i < newest) spans.push(...spans.splice(i, 1));
  }

  /** Neighbours become one where that keeps times apart, the near ones first; else the least used are forgotten. */
  #shrink(): void {
    if (this.#spans.length <= maxSpans) return;
    const gaps = this.#spans.slice(1).map((span, i) => gapBetween(this.#spans[i]!, span));
    const near = [...gaps].sort((a, b) => a - b)[gaps.length >> 1]!;
    if (this.#uniteWithin(near, gaps) || this.#uniteWithin(Number.POSITIVE_INFINITY, gaps)) return;
    this.#spans.splice(0, spansToForget);
  }

  /** @param gaps  between each span and the next, µs */
  #uniteWithin(maxUs: number, gaps: readonly number[]): boolean {
    const before = this.#spans;
    const kept: TimeSpan[] = [before[0]!];
    // The newest stays alone: it was begun because the others have no room for its time.
    for (let i = 1; i < before.length; i++) {
      const alone = i === before.length - 1 || gaps[i - 1]! > maxUs;
      if (alone || !kept.at(-1)!.unite(before[i]!)) kept.push(before[i]!);
    }
    this.#spans = kept;
    return kept.length < before.length;
  }
}

function gapBetween(a: TimeSpan, b: TimeSpan): number {
  return Math.max(a.from, b.from) - Math.min(a.through, b.through);
}
