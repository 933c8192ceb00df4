import type { ReadLimits } from '@edgeward/shared/contracts';
import { settled } from '@edgeward/shared/settled';
import type { Journal, Reading } from '../journal/journal.js';

export interface ReaderOptions {
  readonly journal: Journal;
  readonly limits: ReadLimits;
}

/**
 * Reads the journal on behalf of one consumer, one reading ahead: while the server works on one, the next is read and
 * decoded. What it has handed out or read ahead is in hand: a crash would make it read that again.
 */
export class Reader {
  readonly #options: ReaderOptions;
  #inHand = 0;
  #ahead: Promise<Reading> | undefined;
  /** The last reading was as large as it may be. */
  #wasFull = false;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Before the first reading. */
  begin(position: number): void {
    this.#inHand = position;
  }

  /** The last position that it has read. */
  get inHand(): number {
    return this.#inHand;
  }

  /** A reading waits to be taken. */
  get isAhead(): boolean {
    return this.#ahead !== undefined;
  }

  /** There is enough behind what is in hand for another reading. */
  get isFarBehind(): boolean {
    const { journal, limits } = this.#options;
    return this.#wasFull || journal.position - this.#inHand >= limits.maxDeliveries;
  }

  /** What comes next; none if there is nothing. @throws what the journal throws; it may be called again */
  async take(): Promise<Reading> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return (await ahead) ?? (await this.#read());
  }

  /** If there is enough for a reading, it need not wait until it is asked for. */
  lookAhead(): void {
    if (this.#ahead || !this.isFarBehind) return;
    this.#ahead = this.#read();
    this.#ahead.catch(() => undefined); // told to who takes it
  }

  /** Acts while nothing is read. */
  between<T>(act: (inHand: number) => Promise<T>): Promise<T> {
    return this.#exclusively(() => act(this.#inHand));
  }

  #read(): Promise<Reading> {
    return this.#exclusively(async () => {
      const { journal, limits } = this.#options;
      const newest = journal.position;
      const reading = await journal.read(this.#inHand, limits);
      this.#inHand = reading.through;
      this.#wasFull = reading.through < newest;
      return reading;
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}
