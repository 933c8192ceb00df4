/** Bytes as they grow: for encoders that write millions of small things and can afford no object for each. */
export class Bytes {
  /** Valid up to `length`; replaced when it grows. */
  data: Buffer;
  /** Of the same bytes. */
  view: DataView;
  length = 0;

  constructor(capacity = 1024) {
    this.data = Buffer.allocUnsafe(capacity);
    this.view = viewOf(this.data);
  }

  /** Makes room for so many more. */
  room(more: number): void {
    if (this.length + more <= this.data.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.data.length * 2, this.length + more));
    this.data.copy(larger, 0, 0, this.length);
    this.data = larger;
    this.view = viewOf(larger);
  }

  /** A copy of what has been written. */
  take(): Buffer {
    return Buffer.from(this.data.subarray(0, this.length));
  }

  bytes(part: Uint8Array): void {
    const n = part.length;
    this.room(n);
    // Below this a loop is faster than a call.
    if (n > 48) this.data.set(part, this.length);
    else for (let i = 0; i < n; i++) this.data[this.length + i] = part[i]!;
    this.length += n;
  }

  byte(value: number): void {
    this.room(1);
    this.data[this.length++] = value;
  }

  /** ASCII only. */
  ascii(text: string): void {
    const n = text.length;
    this.room(n);
    for (let i = 0; i < n; i++) this.data[this.length + i] = text.charCodeAt(i);
    this.length += n;
  }

  utf8(text: string): void {
    this.room(text.length * 3);
    this.length += this.data.write(text, this.length, 'utf8');
  }

  int16(value: number): void {
    this.room(2);
    this.length = this.data.writeInt16BE(value, this.length);
  }

  int32(value: number): void {
    this.room(4);
    this.length = this.data.writeInt32BE(value, this.length);
  }

  int64(value: bigint): void {
    this.room(8);
    this.length = this.data.writeBigInt64BE(value, this.length);
  }

  /** ZigZag, base 128, at most 32 bits. */
  varint(value: number): void {
    this.room(5);
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.data[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.data[this.length++] = rest;
  }

  /** ZigZag, base 128, for whole numbers up to ±2^52. */
  varlong(value: number): void {
    this.room(10);
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest > 0x7f) {
      this.data[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.data[this.length++] = rest;
  }
}

function viewOf(data: Buffer): DataView {
  return new DataView(data.buffer, data.byteOffset, data.length);
}

/** Text that is written again and again: in words of four bytes it takes a quarter of the steps. */
export class Stamp {
  readonly length: number;
  readonly #words: Int32Array;

  constructor(text: string) {
    const bytes = Buffer.from(text);
    const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
    bytes.copy(padded);
    this.length = bytes.length;
    this.#words = Int32Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32LE(4 * i));
  }

  /** There must be room for three bytes more, which are overwritten. @returns where it ends */
  at(view: DataView, at: number): number {
    const words = this.#words;
    for (let i = 0; i < words.length; i++) view.setInt32(at + 4 * i, words[i]!, true);
    return at + this.length;
  }
}

/** How many bytes `Bytes.varint` takes. */
export function varintSize(value: number): number {
  const rest = ((value << 1) ^ (value >> 31)) >>> 0;
  return rest < 0x80 ? 1 : rest < 0x4000 ? 2 : rest < 0x20_0000 ? 3 : rest < 0x1000_0000 ? 4 : 5;
}
