/**
 * As much of the protocol buffers wire format as an ONNX file of ours needs: varints below 2^53 and
 * length-delimited fields (https://protobuf.dev/programming-guides/encoding/).
 */
const varintWire = 0;
const bytesWire = 2;
const utf8 = new TextEncoder();

/** Grows one buffer instead of keeping a part per field: a forest has tens of thousands of them. */
export class ProtoWriter {
  #buffer = new Uint8Array(64);
  #size = 0;

  int(field: number, value: number): this {
    this.#varint(field * 8 + varintWire);
    this.#varint(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + bytesWire);
    this.#varint(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#size);
    this.#size += value.length;
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: ProtoWriter): this {
    return this.bytes(field, value.finish());
  }

  /** Packed. */
  ints(field: number, values: ArrayLike<number>): this {
    const packed = new ProtoWriter();
    for (let i = 0; i < values.length; i++) packed.#varint(values[i]!);
    return this.message(field, packed);
  }

  /** Packed, little endian. */
  floats(field: number, values: ArrayLike<number>): this {
    const view = new DataView(new ArrayBuffer(values.length * 4));
    for (let i = 0; i < values.length; i++) view.setFloat32(i * 4, values[i]!, true);
    return this.bytes(field, new Uint8Array(view.buffer));
  }

  /** A view, valid until the next write. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #varint(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#size++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#size++] = rest;
  }

  #room(bytes: number): void {
    const needed = this.#size + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

export interface ProtoField {
  readonly field: number;
  /** Of a varint field, else 0. */
  readonly int: number;
  /** Of a length-delimited field, else empty. A view, not a copy. */
  readonly bytes: Uint8Array;
}

/** @throws RangeError for anything cut short, oversized or of another wire type */
export function* protoFields(bytes: Uint8Array): Generator<ProtoField, void, void> {
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const key = takeVarint(bytes, cursor);
    const field = Math.floor(key / 8);
    const value = takeVarint(bytes, cursor);
    if (key % 8 === varintWire) yield { field, int: value, bytes: bytes.subarray(0, 0) };
    else if (key % 8 === bytesWire) {
      if (value > bytes.length - cursor.at) throw new RangeError(`field ${field} is cut short`);
      yield { field, int: 0, bytes: bytes.subarray(cursor.at, cursor.at + value) };
      cursor.at += value;
    } else throw new RangeError(`field ${field} has wire type ${key % 8}`);
  }
}

function takeVarint(bytes: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let factor = 1; factor < 2 ** 49; factor *= 0x80) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) throw new RangeError('a number is cut short');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
  throw new RangeError('a number is too large');
}

/** @throws RangeError if more than `most` numbers are packed there */
export function unpackInts(bytes: Uint8Array, most: number): Int32Array {
  const values = new Int32Array(Math.min(most, bytes.length));
  const cursor = { at: 0 };
  let count = 0;
  while (cursor.at < bytes.length) {
    const value = takeVarint(bytes, cursor);
    if (count === most || value > 0x7fffffff) throw new RangeError('too many or too large numbers');
    values[count++] = value;
  }
  return values.subarray(0, count);
}

export function unpackFloats(bytes: Uint8Array, most: number): Float32Array {
  if (bytes.length % 4 !== 0 || bytes.length / 4 > most) throw new RangeError('too many or broken numbers');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}
