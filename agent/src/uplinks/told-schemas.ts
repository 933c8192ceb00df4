import type { Described } from '@edgeward/shared/contracts';
import { describedToJson } from '@edgeward/shared/wire';

/** More than any gateway uses at a time. */
const maxSchemas = 256;

/** The schemas that the retained `state` message carries: those that blocks needed last. */
export class ToldSchemas {
  readonly #schemas = new Map<string, Described>();

  /** True if it must be told before the block that needs it. */
  need(described: Described): boolean {
    const known = this.#schemas.delete(described.id);
    this.#schemas.set(described.id, described);
    for (const oldest of this.#schemas.keys()) {
      if (this.#schemas.size <= maxSchemas) break;
      this.#schemas.delete(oldest);
    }
    return !known;
  }

  toJSON(): unknown[] {
    return [...this.#schemas.values()].map(described => describedToJson(described));
  }
}
