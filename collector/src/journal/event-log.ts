import type { AgentEvent } from '@edgeward/shared/contracts';
import { numberKey, type Store } from '@edgeward/shared/store';
import { del, lastNumber, parseJson, put, rangeOf, type Write } from './layout.js';

const maxEvents = 1000;

/** The newest events, of gateways and of the collector itself. */
export class EventLog {
  /** Oldest first. */
  readonly events: AgentEvent[] = [];
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #number = 0;

  static async load(store: Pick<Store, 'db'>): Promise<EventLog> {
    const log = new EventLog();
    for await (const [, value] of store.db.iterator(rangeOf('n'))) {
      const event = parseJson(value);
      if (typeof event === 'object' && event !== null) log.events.push(event as AgentEvent);
    }
    log.#number = await lastNumber(store.db, 'n');
    return log;
  }

  /** @returns what to write */
  add(event: AgentEvent): Write[] {
    this.#number += 1;
    this.events.push(event);
    if (this.events.length > maxEvents) this.events.shift();
    return [
      put(numberKey('n', this.#number), event),
      del(numberKey('n', Math.max(0, this.#number - maxEvents))),
    ];
  }

  /** To those who want to know what the collector itself has to say. */
  tell(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  listen(listener: (event: AgentEvent) => void): void {
    this.#listeners.add(listener);
  }
}
