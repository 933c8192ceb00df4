/** Text in a growing buffer, number by number, without strings in between where it can be helped. */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Room for so many bytes: whatever writes below relies on it. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  byte(code: number): void {
    this.bytes[this.length++] = code;
  }

  copy(bytes: Uint8Array): void {
    // Short ones are most: a call into the engine costs more than they do.
    if (bytes.length > 48) {
      this.bytes.set(bytes, this.length);
      this.length += bytes.length;
      return;
    }
    const to = this.bytes;
    let at = this.length;
    for (let i = 0; i < bytes.length; i++) to[at++] = bytes[i]!;
    this.length = at;
  }

  ascii(text: string): void {
    const to = this.bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) to[at++] = text.charCodeAt(i);
    this.length = at;
  }

  utf8(text: string): void {
    this.length += this.bytes.write(text, this.length, 'utf8');
  }

  /** @param value  whole, within ±(2^53 − 1) */
  integer(value: number): void {
    if (value < 0) {
      this.byte(minus);
      this.#digits(-value);
    } else this.#digits(value);
  }

  /**
   * `scaled` / 10^`places`, without zeros at its end.
   * @param scaled  whole, from 0, below 10^15
   */
  decimal(scaled: number, places: number): void {
    while (places > 0 && scaled % 10 === 0) {
      scaled /= 10;
      places -= 1;
    }
    const scale = powers[places]!;
    const whole = Math.floor(scaled / scale);
    this.#digits(whole);
    if (places === 0) return;
    this.byte(point);
    this.#padded(scaled - whole * scale, places);
  }

  #digits(value: number): void {
    if (value < 1e9) this.#padded(value, width(value));
    else {
      const high = Math.floor(value / 1e8);
      this.#digits(high);
      this.#padded(value - high * 1e8, 8);
    }
  }

  /** @param value  below 10^9 */
  #padded(value: number, places: number): void {
    const to = this.bytes;
    let left = value | 0;
    for (let at = this.length + places - 1; at >= this.length; at--) {
      const tens = (left / 10) | 0;
      to[at] = zero + left - 10 * tens;
      left = tens;
    }
    this.length += places;
  }
}

const [zero, minus, point] = [0x30, 0x2d, 0x2e];
export const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6];

function width(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 1e6) return value < 1e5 ? 5 : 6;
  return value < 1e7 ? 7 : value < 1e8 ? 8 : 9;
}
