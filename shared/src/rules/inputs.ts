import { hasBit } from '../batch.js';
import type { RecordBatch } from '../contracts.js';
import { Quality } from '../quality.js';

/** One pass over n rows; the result is valid until the next call, and may be longer than n. */
export type Terms = (batch: RecordBatch, n: number) => Float64Array;

export function constant(value: number): Terms {
  const room = new Room(n => new Float64Array(n).fill(value));
  return (_, n) => room.of(n);
}

/** Numbers without holes are used where they lie; everything else is copied as numbers, NaN where missing. */
export function column(index: number | undefined): Terms {
  if (index === undefined) return constant(Number.NaN);
  const room = new Room(n => new Float64Array(n));
  return (batch, n) => {
    const values = batch.values[index];
    const missing = batch.missing?.[index];
    if (values instanceof Float64Array && !missing) return values;
    const out = room.of(n);
    if (values instanceof Float64Array) out.set(values);
    else if (values instanceof BigInt64Array || values instanceof Uint8Array) {
      for (let i = 0; i < n; i++) out[i] = Number(values[i]);
    }
    if (missing) for (let i = 0; i < n; i++) if (hasBit(missing, i)) out[i] = Number.NaN;
    return out;
  };
}

/** A value so marked says nothing of the machine, and would lie in a window for long. A stuck or jumping one may. */
const unusable = Quality.missing | Quality.invalid | Quality.outOfRange;

/** The same for windows: NaN also where the value is not finite, or its quality says that it is none. */
export function usableColumn(index: number | undefined): Terms {
  const values = column(index);
  if (index === undefined) return values;
  const room = new Room(n => new Float64Array(n));
  return (batch, n) => {
    const all = values(batch, n);
    const quality = batch.fieldQuality?.[index];
    if (!quality && areFinite(all, n)) return all;
    const out = room.of(n);
    for (let i = 0; i < n; i++) {
      const bad = ((quality?.[i] ?? 0) & unusable) !== 0 || !Number.isFinite(all[i]!);
      out[i] = bad ? Number.NaN : all[i]!;
    }
    return out;
  };
}

function areFinite(column: Float64Array, n: number): boolean {
  let sum = 0;
  // What is not finite times 0 is NaN.
  for (let i = 0; i < n; i++) sum += column[i]! * 0;
  return sum === 0;
}

/** Memory that grows to the largest batch and is used again. */
export class Room<T extends Float64Array | Uint8Array> {
  #held: T;
  constructor(private readonly make: (n: number) => T) {
    this.#held = make(0);
  }

  of(n: number): T {
    if (this.#held.length < n) this.#held = this.make(n);
    return this.#held;
  }
}
