import type { Described } from '@edgeward/shared/contracts';
import { jsonValue, type StoreDatabase, textKey } from '@edgeward/shared/store';
import { describedToJson, parseDescribed } from '@edgeward/shared/wire';
import type { Put } from './layout.js';

const prefix = 'q';

/** What blocks need to be understood, kept once under its id. */
export class Schemas {
  readonly #known = new Map<string, Described>();
  readonly #saved = new Set<string>();
  /** Records that hold no schema. */
  damaged = 0;

  static async load(db: StoreDatabase): Promise<Schemas> {
    const schemas = new Schemas();
    for await (const [key, value] of db.iterator({ gte: textKey(prefix, ''), lt: textKey('r', '') })) {
      const described = parseJson(value);
      // One that this release hashes otherwise is known under the id that its blocks carry.
      if (described) schemas.#known.set(key.toString('utf8', 1), described);
      if (described) schemas.#saved.add(key.toString('utf8', 1));
      else schemas.damaged += 1;
    }
    return schemas;
  }

  get(id: string): Described | undefined {
    return this.#known.get(id);
  }

  /** The puts for those that are not yet in the store; call `saved` once they are. */
  puts(used: Iterable<Described>): { puts: Put[]; saved: () => void } {
    const fresh = [...new Set(used)].filter(({ id }) => !this.#saved.has(id));
    return {
      puts: fresh.map(one => ({ key: textKey(prefix, one.id), value: jsonValue(describedToJson(one)) })),
      saved: () => {
        for (const one of fresh) {
          this.#saved.add(one.id);
          this.#known.set(one.id, one);
        }
      },
    };
  }

  /** Forgets those that no block needs. @returns their keys */
  dropUnused(used: ReadonlySet<string>): Buffer[] {
    const unused = [...this.#saved].filter(id => !used.has(id));
    for (const id of unused) {
      this.#saved.delete(id);
      this.#known.delete(id);
    }
    return unused.map(id => textKey(prefix, id));
  }
}

function parseJson(value: Buffer): Described | undefined {
  try {
    return parseDescribed(JSON.parse(value.toString('utf8')));
  } catch {
    return undefined; // damaged: blocks that need it are counted as damaged too
  }
}
