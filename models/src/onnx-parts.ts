/** Pieces of an ONNX file. Field numbers and types: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (IR version 8). */
import { ProtoWriter } from './protobuf.js';

export const attributeType = { int: 2, string: 3, floats: 6, ints: 7, strings: 8 } as const;
const elementType = { float: 1, int64: 7 } as const;

export function node(operator: string, inputs: readonly string[], output: string): ProtoWriter {
  const writer = new ProtoWriter();
  for (const input of inputs) writer.string(1, input);
  return writer.string(2, output).string(4, operator);
}

export function int(name: string, value: number): ProtoWriter {
  return new ProtoWriter().string(1, name).int(3, value).int(20, attributeType.int);
}

export function string(name: string, value: string): ProtoWriter {
  return new ProtoWriter().string(1, name).string(4, value).int(20, attributeType.string);
}

export function ints(name: string, values: ArrayLike<number>): ProtoWriter {
  return new ProtoWriter().string(1, name).ints(8, values).int(20, attributeType.ints);
}

export function floats(name: string, values: ArrayLike<number>): ProtoWriter {
  return new ProtoWriter().string(1, name).floats(7, values).int(20, attributeType.floats);
}

/** One element: of shape [1], or of no shape where an operator takes only that. */
export function scalar(name: string, value: number, dims: readonly number[] = [1]): ProtoWriter {
  return floatTensor(name, dims, [value]);
}

export function floatTensor(name: string, dims: readonly number[], values: ArrayLike<number>): ProtoWriter {
  const raw = new DataView(new ArrayBuffer(4 * values.length));
  for (let i = 0; i < values.length; i++) raw.setFloat32(4 * i, values[i]!, true);
  return tensor(name, dims, elementType.float).bytes(9, new Uint8Array(raw.buffer));
}

/** Not negative. */
export function intTensor(name: string, values: ArrayLike<number>): ProtoWriter {
  return tensor(name, [values.length], elementType.int64, values);
}

function tensor(name: string, dims: readonly number[], type: number, ints?: ArrayLike<number>): ProtoWriter {
  const writer = new ProtoWriter();
  if (dims.length > 0) writer.ints(1, dims);
  writer.int(2, type);
  if (ints) writer.ints(7, ints);
  return writer.string(8, name);
}

/** A float32 input or output of N rows. */
export function matrix(name: string, columns: number): ProtoWriter {
  const shape = new ProtoWriter()
    .message(1, new ProtoWriter().string(2, 'N'))
    .message(1, new ProtoWriter().int(1, columns));
  const tensor = new ProtoWriter().int(1, elementType.float).message(2, shape);
  return new ProtoWriter().string(1, name).message(2, new ProtoWriter().message(1, tensor));
}
