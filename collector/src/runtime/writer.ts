import type { Clock, Cursor, Sink } from '@edgeward/shared/contracts';
import { type EdgewardError, hasCode, messageOf } from '@edgeward/shared/errors';
import { failpoint } from '@edgeward/shared/failpoint';
import { settled } from '@edgeward/shared/settled';
import type { LetterContent, SinkLetter, SinkLetters } from '../journal/sink-letters.js';
import { attempt } from './attempt.js';
import { Doubt } from './doubt.js';
import type { Part } from './parcel.js';
import type { Tally } from './tally.js';
import type { Replayed } from './view.js';

export interface WriterOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly letters: SinkLetters;
  readonly timeoutMs: number;
  readonly tally: Tally;
  readonly clock: Clock;
  /** A write takes too long, and has not ended. */
  readonly onLate: (error: EdgewardError) => void;
}

const noLetter = 'There is no such dead letter of this sink.';
const notYet = 'The sink has yet to come to it in the journal, and is given it then: try again later.';

/** Hands things to a sink: one after the other, each within its time. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #doubt = new Doubt();
  #deadline = new AbortController().signal;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** What is under way is called off then. */
  until(deadline: AbortSignal): void {
    this.#deadline = deadline;
  }

  /** Nothing else of this writer runs beside it. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }

  /**
   * Within `alone`. Dead letters of what it stores are withdrawn.
   * @throws what the sink throws; EW_SINK_WRITE when its time is up; EW_STOPPED at the deadline
   */
  write(part: Part, after: Cursor): Promise<void> {
    const { name, letters } = this.#options;
    return letters.around(name, this.#doubt.beyond(part), () => this.#write(part, after));
  }

  async #write({ deliveries, notes }: Part, after: Cursor): Promise<void> {
    const { sink, clock, tally } = this.#options;
    const startedMs = clock.monotonic();
    try {
      await this.#attempt(signal => sink.write(deliveries, after, signal, notes));
    } catch (error) {
      if (sink.cursor && !hasCode(error, 'EW_SINK_REFUSED')) this.#doubt.add(after);
      throw error;
    }
    failpoint('sink.after-write');
    tally.stored(deliveries, notes.length, clock.monotonic() - startedMs);
  }

  /**
   * Dead letters of the sink, one after the other. After a failure of the sink the others are not tried.
   * @param here  where the sink stands
   */
  async replay(ids: readonly string[], here: () => Cursor): Promise<Replayed[]> {
    const results: Replayed[] = [];
    let failure: string | undefined;
    for (const id of ids) {
      if (failure !== undefined) {
        results.push({ id, stored: false, reason: `It was not tried, after this: ${failure}` });
        continue;
      }
      const { reason, goesOn } = await this.#replayOne(id, here);
      results.push({ id, stored: reason === null, reason });
      if (!goesOn) failure = reason ?? '';
    }
    return results;
  }

  async #replayOne(id: string, here: () => Cursor): Promise<{ reason: string | null; goesOn: boolean }> {
    const { letters, name, sink } = this.#options;
    const letter = letters.get(id);
    if (letter?.sink !== name) return { reason: noLetter, goesOn: true };
    if (sink.cursor && !sink.replay)
      return { reason: 'This kind of sink cannot take again what it has passed.', goesOn: false };
    // What is idempotent may have it twice.
    if (sink.cursor && isAhead(letter, here())) return { reason: notYet, goesOn: true };
    try {
      const isStored = await this.alone(() =>
        letters.replay(id, (content, letter) => this.#handOver(letter, content, here())),
      );
      return { reason: isStored ? null : (letters.get(id)?.reason ?? noLetter), goesOn: true };
    } catch (error) {
      const reason = messageOf(error);
      if (!hasCode(error, 'EW_SINK_REFUSED')) return { reason, goesOn: false };
      await letters.renew(id, reason).catch(() => undefined);
      return { reason, goesOn: true };
    }
  }

  async #handOver(letter: string, { deliveries, notes }: LetterContent, here: Cursor): Promise<void> {
    const { sink } = this.#options;
    await this.#attempt(signal =>
      sink.replay
        ? sink.replay(letter, deliveries, notes, signal)
        : sink.write(deliveries, here, signal, notes),
    );
    failpoint('sink.after-replay');
  }

  #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { timeoutMs, onLate } = this.#options;
    return attempt(work, { timeoutMs, deadline: this.#deadline, onLate });
  }
}

/** The sink has yet to be given it from the journal, or from a feed that it follows. */
function isAhead(letter: SinkLetter, { position, notes = {} }: Cursor): boolean {
  if (letter.kind === 'rows') return letter.position > position;
  return letter.number > (notes[`${letter.feed}/${letter.store}`] ?? Number.POSITIVE_INFINITY);
}
