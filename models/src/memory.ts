/**
 * Copies what an object remembers out of it or into it: the same calls both ways, so that the two cannot differ.
 * Numbers stay what they are bit for bit, also NaN, infinities and −0.
 */
export interface Memory {
  /** @returns  the value, or the one that takes its place */
  number(value: number): number;
  /** The same of a whole number from 0 on. */
  count(value: number): number;
  array(values: Float64Array | Float32Array | Uint32Array): void;
}

/** What is remembered of a device. */
export interface DeviceMemory {
  readonly name: string;
  /** Time of its newest row. */
  readonly newestMs: number;
  readonly numbers: Float64Array;
}

const firstRoom = 256;

/** @param pass  hands over all that is to be written */
export function written(pass: (memory: Memory) => void): Float64Array {
  let numbers = new Float64Array(firstRoom);
  let count = 0;
  const makeRoom = (more: number) => {
    if (count + more <= numbers.length) return;
    const grown = new Float64Array(2 * (count + more));
    grown.set(numbers);
    numbers = grown;
  };
  const number = (value: number) => {
    makeRoom(1);
    numbers[count] = value;
    count += 1;
    return value;
  };
  pass({
    number,
    count: number,
    array: values => {
      makeRoom(values.length);
      numbers.set(values, count);
      count += values.length;
    },
  });
  return numbers.slice(0, count);
}

/** @throws RangeError unless it is just what `pass` takes */
export function readBack(numbers: Float64Array, pass: (memory: Memory) => void): void {
  let at = 0;
  const take = (count: number) => {
    at += count;
    if (at > numbers.length) throw new RangeError(`only ${numbers.length} numbers of a device are there`);
    return numbers.subarray(at - count, at);
  };
  const number = () => take(1)[0]!;
  pass({
    number,
    count: () => {
      const value = number();
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no count`);
      return value;
    },
    array: values => values.set(take(values.length)),
  });
  if (at < numbers.length) throw new RangeError(`${numbers.length} numbers of a device are there, not ${at}`);
}
