/** What may not pass, and why in a few words. */
export class FrameRefused extends Error {
  constructor(
    readonly reason: 'frame-malformed' | 'frame-too-long',
    message: string,
  ) {
    super(message);
  }
}

export interface FrameLimits {
  /** A PUBLISH with its header. */
  readonly maxPacketBytes: number;
  /** Every other packet: they hold names, topics and a last will. */
  readonly maxControlBytes: number;
}

const connect = 1;
const publish = 3;

/**
 * Follows the frames in a stream of MQTT bytes by their fixed headers alone [MQTT 3.1.1, 2.2], so that a frame is
 * refused when its length is read, before any of it is kept.
 */
export class FrameScanner {
  /** Whole frames seen, and how many of them are PUBLISH. */
  frames = 0;
  publishes = 0;
  readonly #limits: FrameLimits;
  #part: 'type' | 'length' | 'body' = 'type';
  #type = 0;
  #shift = 0;
  #left = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /**
   * @returns  bytes that may pass: all, or those up to the end of the maxFrames-th frame that ends in them
   * @throws   FrameRefused
   */
  scan(chunk: Uint8Array, maxFrames: number): number {
    const stopAt = this.frames + maxFrames;
    let at = 0;
    while (at < chunk.length && this.frames < stopAt) {
      if (this.#part === 'type') this.#takeType(chunk[at++]!);
      else if (this.#part === 'length') this.#takeLength(chunk[at++]!);
      else at += this.#takeBody(chunk.length - at);
      if (this.#part === 'body' && this.#left === 0) this.#end();
    }
    return at;
  }

  /** What comes next is the beginning of a frame. */
  get isBetween(): boolean {
    return this.#part === 'type';
  }

  #end(): void {
    this.frames += 1;
    if (this.#type === publish) this.publishes += 1;
    this.#part = 'type';
  }

  #takeType(byte: number): void {
    this.#type = byte >> 4;
    if (this.#type === 0 || this.#type === 15)
      throw new FrameRefused('frame-malformed', `packet type ${this.#type} is reserved`);
    // [MQTT-3.1.0-1], [MQTT-3.1.0-2]
    if ((this.frames === 0) !== (this.#type === connect))
      throw new FrameRefused('frame-malformed', 'CONNECT must come first, and once');
    this.#part = 'length';
    this.#shift = 0;
    this.#left = 0;
  }

  #takeLength(byte: number): void {
    this.#left += (byte & 127) << this.#shift;
    const max = this.#type === publish ? this.#limits.maxPacketBytes : this.#limits.maxControlBytes;
    if (this.#left > max)
      throw new FrameRefused(
        'frame-too-long',
        `a packet of at least ${this.#left} bytes; at most ${max} may come`,
      );
    if (byte < 128) this.#part = 'body';
    else if (this.#shift === 21)
      throw new FrameRefused('frame-malformed', 'the length has more than 4 bytes');
    this.#shift += 7;
  }

  #takeBody(available: number): number {
    const taken = Math.min(this.#left, available);
    this.#left -= taken;
    return taken;
  }
}
