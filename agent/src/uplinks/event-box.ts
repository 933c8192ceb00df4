import type { AgentEvent } from '@edgeward/shared/contracts';

const maxEvents = 1000;

/** Events on their way: each is kept until a broker has it, and sent again on the next link if need be. */
export class EventBox {
  readonly #waiting = new Set<AgentEvent>();
  #link: object | undefined;
  /** Sent on this link. */
  #sent = new WeakSet<AgentEvent>();

  /** The oldest gives way when there are too many. */
  add(event: AgentEvent): void {
    this.#waiting.add(event);
    for (const oldest of this.#waiting) {
      if (this.#waiting.size <= maxEvents) break;
      this.#waiting.delete(oldest);
    }
  }

  /** Those that have not been sent on this link; from now on they have. */
  unsent(link: object): AgentEvent[] {
    if (link !== this.#link) {
      this.#link = link;
      this.#sent = new WeakSet();
    }
    const unsent = [...this.#waiting].filter(event => !this.#sent.has(event));
    for (const event of unsent) this.#sent.add(event);
    return unsent;
  }

  told(event: AgentEvent): void {
    this.#waiting.delete(event);
  }
}
