import type { AgentEvent, Note } from '@edgeward/shared/contracts';
import { numberInKey, numberKey, type StoreDatabase } from '@edgeward/shared/store';
import { Kept, type NoteFeed } from '../notes/feed.js';
import { del, firstNumber, lastNumber, parseJson, put, rangeOf, type Write } from './layout.js';

const maxEvents = 1000;

interface Origin {
  readonly db: StoreDatabase;
  /** Whose numbers they are; absent for who only reads the events. */
  readonly id?: string;
}

/** The events of gateways and of the collector itself: the newest, and those that a sink has yet to store. */
export class EventLog implements NoteFeed {
  readonly feed = 'event';
  /** The newest, oldest first. */
  readonly events: AgentEvent[] = [];
  readonly store: string;
  readonly #db: StoreDatabase;
  readonly #kept: Kept;
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  readonly #followers = new Set<() => void>();
  #number: number;
  /** Through here they are on disk. */
  #durable: number;
  /** What no write has taken to the disk yet. */
  #waiting: { readonly number: number; readonly writes: readonly Write[] }[] = [];

  private constructor({ db, id }: Origin, number: number, first: number) {
    this.#db = db;
    this.store = id ?? '';
    this.#number = number;
    this.#durable = number;
    this.#kept = new Kept(first, maxEvents);
  }

  static async load(store: Origin): Promise<EventLog> {
    const number = await lastNumber(store.db, 'n');
    const first = (await firstNumber(store.db, 'n')) || number + 1;
    const log = new EventLog(store, number, first);
    for await (const [, event] of log.#records(Math.max(0, number - maxEvents), maxEvents))
      log.events.push(event);
    return log;
  }

  get last(): number {
    return this.#durable;
  }

  passed(through: number): void {
    this.#kept.passed(through);
  }

  /** @returns what to write, with what a write before failed to, and the number to tell `written` of then */
  add(event: AgentEvent): { writes: Write[]; number: number } {
    const number = ++this.#number;
    this.events.push(event);
    if (this.events.length > maxEvents) this.events.shift();
    const gone = [...this.#kept.leaving(number)].map(old => del(numberKey('n', old)));
    this.#waiting.push({ number, writes: [put(numberKey('n', number), event), ...gone] });
    if (this.#waiting.length > maxEvents) this.#waiting.shift();
    return { number, writes: this.#waiting.flatMap(({ writes }) => writes) };
  }

  /** What was added through this number is on disk. */
  written(through: number): void {
    this.#waiting = this.#waiting.filter(({ number }) => number > through);
    this.#durable = Math.max(this.#durable, through);
    for (const follower of this.#followers) follower();
  }

  async read(after: number, most: number): Promise<Note[]> {
    const notes: Note[] = [];
    for await (const [number, { gateway, atMs, kind, text, epoch, details }] of this.#records(after, most)) {
      if (number > this.#durable) break;
      const value = { kind, text, epoch, details };
      notes.push({ feed: this.feed, store: this.store, number, gateway, atMs, value });
    }
    return notes;
  }

  /** To those who want to know what the collector itself has to say. */
  tell(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  listen(listener: (event: AgentEvent) => void): void {
    this.#listeners.add(listener);
  }

  onMore(follower: () => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** At most so many that can be read: a page of damaged ones alone would look like the end. */
  async *#records(after: number, limit: number): AsyncGenerator<[number, AgentEvent]> {
    const range = { gt: numberKey('n', after), lt: rangeOf('n').lt };
    let left = limit;
    for await (const [key, value] of this.#db.iterator(range)) {
      if (left <= 0) break;
      const event = parseJson(value);
      if (typeof event !== 'object' || event === null) continue;
      left -= 1;
      yield [numberInKey(key, 0), event as AgentEvent];
    }
  }
}
