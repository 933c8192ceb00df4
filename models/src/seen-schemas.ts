import type { Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';

/** Devices of one type have the same fields, or nearly. */
const maxOfOneType = 16;

/** Which schemas have come by, and who wants to know when one is new. */
export class SeenSchemas {
  readonly #objects = new WeakSet<Schema>();
  readonly #byType = new Map<string, Map<string, Schema>>();
  readonly #listeners = new Set<(type: string) => void>();

  /** Once for each batch: mostly a look at an object that is known. */
  note(schema: Schema): void {
    if (this.#objects.has(schema)) return;
    this.#objects.add(schema);
    const known = getOrMake(this.#byType, schema.type, () => new Map<string, Schema>());
    const key = JSON.stringify(schema.fields.map(({ name, kind }) => [name, kind]));
    if (known.has(key) || known.size >= maxOfOneType) return;
    known.set(key, schema);
    for (const listener of this.#listeners) listener(schema.type);
  }

  of(type: string): Schema[] {
    return [...(this.#byType.get(type)?.values() ?? [])];
  }

  /** Told when devices of a type come by with fields that were not known. */
  listen(listener: (type: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Fields that a model needs and devices of this schema do not have as numbers. */
export function lackingFields(fields: readonly string[], schema: Schema): string[] {
  const has = new Set(schema.fields.filter(({ kind }) => kind !== 'string').map(({ name }) => name));
  return fields.filter(field => !has.has(field));
}
