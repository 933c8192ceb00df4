/** Just enough of a WebAssembly module (core specification 2.0, chapter 5) for one function over a memory of its own. */

export const i32 = 0x7f;

/** Operators used here, by their names in the specification. */
export const op = {
  loop: [0x03, 0x40],
  end: [0x0b],
  branchIf: [0x0d],
  get: [0x20],
  set: [0x21],
  tee: [0x22],
  i32Load: [0x28, 2],
  f32Load: [0x2a, 2],
  f64Load: [0x2b, 3],
  f64Store: [0x39, 3],
  i32Const: [0x41],
  i32Less: [0x49],
  f32LessOrEqual: [0x5f],
  i32Add: [0x6a],
  i32Subtract: [0x6b],
  i32Multiply: [0x6c],
  i32ShiftLeft: [0x74],
  f32Add: [0x92],
  f32Multiply: [0x94],
  f64Add: [0xa0],
  f64Promote: [0xbb],
} as const satisfies Record<string, readonly number[]>;

/** LEB128 without a sign. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** LEB128 of a value that is not negative where a sign is expected: the top bit of the last byte must be 0. */
export function positive(value: number): number[] {
  const bytes = unsigned(value);
  if ((bytes.at(-1)! & 0x40) === 0) return bytes;
  bytes[bytes.length - 1]! |= 0x80;
  return [...bytes, 0];
}

const text = (name: string) => vector([...Buffer.from(name)], 1);
const section = (id: number, body: readonly number[]) => [id, ...unsigned(body.length), ...body];

/** @param each  bytes of one entry */
function vector(entries: readonly number[], each: number): number[] {
  return [...unsigned(entries.length / each), ...entries];
}

/**
 * A module that imports `env.memory` and exports `run`.
 * @param params  types of its parameters
 * @param locals  of its other local variables, all i32
 */
export function moduleOf(params: readonly number[], locals: number, code: readonly number[]): Uint8Array {
  const type = [0x60, ...vector(params, 1), 0];
  const memory = [...text('env'), ...text('memory'), 0x02, 0x00, 1];
  const body = [1, ...unsigned(locals), i32, ...code, ...op.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, ...type]),
    ...section(2, [1, ...memory]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}
