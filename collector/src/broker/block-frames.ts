const publishQos1 = 0x32;
const dup = 0x08;
const maxLengthBytes = 4;

/** Recognises the blocks of one gateway by their bytes: PUBLISH of QoS 1, not retained [MQTT 3.1.1, 3.3]. */
export class BlockFrames {
  readonly #topic: Buffer;
  readonly #maxBytes: number;
  /** Of the frame that was found last: its packet id, where its payload begins, and where it ends. */
  id = 0;
  from = 0;
  to = 0;

  /** @param maxBytes  after the fixed header */
  constructor(topic: string, maxBytes: number) {
    this.#topic = Buffer.allocUnsafe(2 + Buffer.byteLength(topic));
    this.#topic.writeUInt16BE(this.#topic.length - 2);
    this.#topic.write(topic, 2);
    this.#maxBytes = maxBytes;
  }

  /** @returns how many bytes at least are missing of the block that begins there; 0 = none; -1 = it is no block */
  missing(bytes: Uint8Array, at: number): number {
    if ((bytes[at]! & ~dup) !== publishQos1) return -1;
    const length = this.#readLength(bytes, at + 1);
    if (length === undefined) return 1;
    if (length < this.#topic.length + 2 || length > this.#maxBytes) return -1;
    this.to = this.from + length;
    if (!this.#hasTopic(bytes)) return -1;
    if (this.to > bytes.length) return this.to - bytes.length;
    const idAt = this.from + this.#topic.length;
    this.id = bytes[idAt]! * 256 + bytes[idAt + 1]!;
    this.from = idAt + 2;
    return this.id === 0 ? -1 : 0; // [MQTT-2.3.1-1]
  }

  /** @returns undefined if it goes on behind the bytes */
  #readLength(bytes: Uint8Array, at: number): number | undefined {
    let length = 0;
    for (let i = 0; i < maxLengthBytes; i++) {
      const byte = bytes[at + i];
      if (byte === undefined) return undefined;
      length += (byte & 127) << (7 * i);
      this.from = at + i + 1;
      if (byte < 128) return length;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** As far as it is there; from its end, since that is where topics differ. */
  #hasTopic(bytes: Uint8Array): boolean {
    const topic = this.#topic;
    for (let i = Math.min(topic.length, bytes.length - this.from) - 1; i >= 0; i--)
      if (bytes[this.from + i] !== topic[i]) return false;
    return true;
  }
}
