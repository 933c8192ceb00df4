/**
 * Memory of the columns that a decoded block has, one ArrayBuffer for all: to ask for each by itself takes longer than
 * to fill it. Small blocks come by the thousand and share one: it is handed out once, from its begin to its end, and
 * no part of it comes back, so that what is in it is 0 until it is written.
 */

import type { Field } from '../contracts.js';

/** What small blocks share. Whoever holds on to one of them holds on to so much. */
const sharedBytes = 16 * 1024;
/** Blocks that need more have memory of their own; of the shared one no more than this is left over. */
const largestShared = sharedBytes / 8;

export class ColumnMemory {
  readonly #buffer: ArrayBuffer;
  #used = 0;

  constructor(bytes: number) {
    this.#buffer = new ArrayBuffer(bytes);
  }

  get left(): number {
    return this.#buffer.byteLength - this.#used;
  }

  float64s(n: number): Float64Array {
    return new Float64Array(this.#buffer, this.#take(8 * n), n);
  }

  int64s(n: number): BigInt64Array {
    return new BigInt64Array(this.#buffer, this.#take(8 * n), n);
  }

  uint16s(n: number): Uint16Array {
    return new Uint16Array(this.#buffer, this.#take(2 * n), n);
  }

  // Nobody can know beforehand whether a block has scores or marks: where no room is left, each has its own.

  float32s(n: number): Float32Array {
    return this.left < 4 * n ? new Float32Array(n) : new Float32Array(this.#buffer, this.#take(4 * n), n);
  }

  uint8s(n: number): Uint8Array {
    return this.left < n ? new Uint8Array(n) : new Uint8Array(this.#buffer, this.#take(n), n);
  }

  /** @returns where they begin: every column at a multiple of eight */
  #take(bytes: number): number {
    const at = this.#used;
    this.#used = at + roundedUp(bytes);
    return at;
  }
}

function roundedUp(bytes: number): number {
  return (bytes + 7) & ~7;
}

let shared = new ColumnMemory(sharedBytes);

/** With room for the columns that every block has, and those of its fields. */
export function memoryFor(rows: number, fields: readonly Field[]): ColumnMemory {
  const wide = 8 * rows;
  let bytes = 2 * wide + 2 * roundedUp(2 * rows);
  for (let f = 0; f < fields.length; f++) {
    const { kind } = fields[f]!;
    if (kind !== 'string') bytes += kind === 'bool' ? roundedUp(rows) : wide;
  }
  if (bytes > largestShared) return new ColumnMemory(bytes);
  if (shared.left < bytes) shared = new ColumnMemory(sharedBytes);
  return shared;
}
