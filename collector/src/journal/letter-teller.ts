import type { Clock } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { Limiter } from '../limiter.js';
import type { LetterCount } from './letter-shelf.js';

export interface LetterTellerOptions {
  /** An event of the collector's own. */
  readonly tell: (text: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

const everyMs = 60_000;
const none = { letters: 0, rows: 0 };

/** Says what became of rows that a sink's server refuses; once a minute for each sink, with all since. */
export class LetterTeller {
  readonly #options: LetterTellerOptions;
  readonly #allowed: Limiter;
  readonly #untold = new Map<string, LetterCount>();

  constructor(options: LetterTellerOptions) {
    this.#options = options;
    this.#allowed = new Limiter(everyMs, options.clock);
  }

  /** @param reason  of one of them */
  kept(sink: string, count: LetterCount, reason: string): void {
    const all = this.#due(`kept ${sink}`, count);
    if (!all) return;
    const { letters, rows } = all;
    this.#options.log.error({ sink, letters, rows, reason }, 'a sink refuses rows: kept as dead letters');
    const what = `${rows} rows in ${letters} dead letters`;
    void this.#options.tell(`Sink ${sink} refused what is kept as ${what}: ${reason}`);
  }

  /** Their sink has stored them otherwise. */
  withdrawn(sink: string, { letters, rows }: LetterCount): void {
    const count = { sink, letters, rows };
    this.#options.log.info(count, 'dead letters withdrawn: their sink has stored what they hold');
  }

  /** Dropped or discarded. */
  gone(sink: string, count: LetterCount): void {
    const all = this.#due(`gone ${sink}`, count);
    if (!all) return;
    const { letters, rows } = all;
    this.#options.log.error({ sink, letters, rows }, 'dead letters of a sink were deleted');
    const what = `${letters} dead letters with ${rows} rows`;
    void this.#options.tell(
      `Of sink ${sink}, ${what} were deleted: its oldest, since they had no more room, or by hand.`,
    );
  }

  /** Undefined = it is told later, with what comes. */
  #due(key: string, { letters, rows }: LetterCount): LetterCount | undefined {
    const before = this.#untold.get(key) ?? none;
    const all = { letters: before.letters + letters, rows: before.rows + rows };
    const isDue = this.#allowed.allows(key);
    this.#untold.set(key, isDue ? none : all);
    return isDue ? all : undefined;
  }
}
