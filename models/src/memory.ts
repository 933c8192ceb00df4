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

/** @param pass  hands over all that is to be written */
export function written(pass: (memory: Memory) => void): Float64Array {
  const numbers: number[] = [];
  const number = (value: number) => {
    numbers.push(value);
    return value;
  };
  pass({
    number,
    count: number,
    array: values => {
      for (const value of values) numbers.push(value);
    },
  });
  return Float64Array.from(numbers);
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
