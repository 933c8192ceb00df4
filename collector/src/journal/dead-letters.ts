import { createHash } from 'node:crypto';
import { type Store, textKey } from '@edgeward/shared/store';
import { z } from 'zod';
import { del, parseJson, put, rangeOf, type Write } from './layout.js';
import { bytesIn, factsIn, letterValue } from './letter-value.js';

const factsSchema = z.object({
  gateway: z.string(),
  reason: z.string(),
  atMs: z.number(),
  rejected: z.boolean(),
});

export interface DeadLetter {
  /** Hash of the bytes. */
  readonly id: string;
  readonly gateway: string;
  readonly reason: string;
  readonly atMs: number;
  readonly bytes: number;
  /** Its header was whole: the gateway has a receipt for it, and its rows count as rejected. */
  readonly rejected: boolean;
}

/**
 * Blocks that no decoder understood, whole, with the reason; the same bytes are kept once.
 */
export class DeadLetters {
  readonly #store: Store;
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #letters = new Map<string, DeadLetter>();
  #bytes = 0;
  #dropped = 0;

  private constructor(store: Store, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  static async load(store: Store, maxBytes: number): Promise<DeadLetters> {
    const letters = new DeadLetters(store, maxBytes);
    const found: DeadLetter[] = [];
    for await (const [key, value] of store.db.iterator(rangeOf('x'))) {
      const id = key.toString('utf8', 1);
      const facts = factsSchema.safeParse(factsIn(value)).data;
      if (facts) found.push({ id, ...facts, bytes: bytesIn(value).length });
    }
    for (const letter of found.sort((a, b) => a.atMs - b.atMs)) letters.#add(letter);
    const dropped = await store.db.get(droppedKey);
    letters.#dropped = dropped ? Number(parseJson(dropped)) || 0 : 0;
    return letters;
  }

  get(id: string): DeadLetter | undefined {
    return this.#letters.get(id);
  }

  /** Newest first. */
  list(limit: number): DeadLetter[] {
    return [...this.#letters.values()].slice(-limit).reverse();
  }

  get count(): number {
    return this.#letters.size;
  }

  /** Deleted for want of room, over all starts. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @returns what to write; nothing for bytes that are kept already */
  keep(bytes: Uint8Array, facts: z.output<typeof factsSchema>): Write[] {
    const id = idOf(bytes);
    if (this.#letters.has(id)) return [];
    if (bytes.length > this.#maxBytes) {
      this.#dropped += 1;
      return [put(droppedKey, this.#dropped)];
    }
    this.#add({ id, ...facts, bytes: bytes.length });
    return [put(textKey('x', id), letterValue(facts, bytes)), ...this.#trim()];
  }

  async bytesOf(id: string): Promise<Uint8Array | undefined> {
    if (!this.#letters.has(id)) return undefined;
    const value = await this.#store.db.get(textKey('x', id));
    return value && bytesIn(value);
  }

  /** These have been understood. @returns what to write */
  dropBytes(bytes: Uint8Array): Write[] {
    return [this.#drop(idOf(bytes))];
  }

  #drop(id: string): Write {
    this.#bytes -= this.#letters.get(id)?.bytes ?? 0;
    this.#letters.delete(id);
    return del(textKey('x', id));
  }

  #add(letter: DeadLetter): void {
    this.#letters.set(letter.id, letter);
    this.#bytes += letter.bytes;
  }

  #trim(): Write[] {
    const writes: Write[] = [];
    for (const id of this.#letters.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      writes.push(this.#drop(id));
      this.#dropped += 1;
    }
    return writes.length > 0 ? [...writes, put(droppedKey, this.#dropped)] : [];
  }
}

const droppedKey = Buffer.from('w');

function idOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}
