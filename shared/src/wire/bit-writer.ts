/** First length of the buffer, words. */
const firstWords = 4096;

/** Bits, least significant first, gathered in 32-bit words. */
export class BitWriter {
  words = new Uint32Array(firstWords);
  /** Full words so far. */
  full = 0;
  /** The bits after them. */
  held = 0;
  heldBits = 0;

  clear(): void {
    // One huge block must not hold its memory for ever.
    if (this.words.length > 64 * firstWords) this.words = new Uint32Array(firstWords);
    this.full = 0;
    this.held = 0;
    this.heldBits = 0;
  }

  /** Makes room for so many further words. */
  reserve(words: number): void {
    if (this.full + words < this.words.length) return;
    const grown = new Uint32Array(2 * (this.full + words));
    grown.set(this.words.subarray(0, this.full));
    this.words = grown;
  }

  /** @param value  below 2^bits  @param bits  0 to 32 */
  put(value: number, bits: number): void {
    if (bits === 0) return;
    this.held |= value << this.heldBits;
    const together = this.heldBits + bits;
    if (together < 32) {
      this.heldBits = together;
      return;
    }
    if (this.full + 1 >= this.words.length) this.reserve(this.full);
    this.words[this.full++] = this.held;
    this.held = this.heldBits ? value >>> (32 - this.heldBits) : 0;
    this.heldBits = together - 32;
  }

  flag(set: boolean): void {
    this.put(set ? 1 : 0, 1);
  }

  /** @param value  whole, 0 to 2^53: below 16 in 5 bits, else the number of its bits and all of them but the first */
  count(value: number): void {
    if (value < 16) {
      this.put(value << 1, 5);
      return;
    }
    const high = Math.floor(value / 0x1_0000_0000);
    const bits = high ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
    this.put(1 | (bits << 1), 7);
    const low = value >>> 0;
    if (bits <= 33) this.put(bits === 33 ? low : low & ~(1 << (bits - 1)), bits - 1);
    else {
      this.put(low, 32);
      this.put(high & ~(1 << (bits - 33)), bits - 33);
    }
  }

  /** @param value  whole, −2^53 to 2^53 */
  signed(value: number): void {
    this.flag(value < 0);
    this.count(Math.abs(value));
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length >> 2);
    for (const byte of bytes) this.put(byte, 8);
  }

  get byteLength(): number {
    return this.full * 4 + ((this.heldBits + 7) >> 3);
  }

  /** What was put so far; the last byte is filled up with zeros. */
  copyInto(target: Uint8Array): void {
    this.reserve(1);
    this.words[this.full] = this.held;
    target.set(new Uint8Array(this.words.buffer, 0, this.byteLength));
  }
}
