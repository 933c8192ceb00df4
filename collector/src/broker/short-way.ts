/**
 * The way of a gateway's blocks past aedes. They make nearly all of the traffic, and aedes' own way for a message
 * costs several times as much. Bytes are seen here before the socket's stream has them. A block is taken only while
 * nothing that came before it is under way in the stream or in aedes; what is not taken, and all that came with and
 * after it, goes on into the stream and to aedes.
 */
import { BlockFrames } from './block-frames.js';

export interface BlockTaker {
  /** Nothing that came before is still under way, and the client may be read. */
  isFree(): boolean;
  /** @returns false if there is no room for it */
  take(id: number, payload: Buffer, frameBytes: number): boolean;
}

const nothing = Buffer.alloc(0);
/** Of a block that has begun, so much of what is missing is expected soon: nobody gets more memory for a mere claim. */
const expectedBytes = 64 * 1024;
/** A payload that is a smaller part of what was read with it is copied, so that it does not hold on to the rest. */
const leastPart = 1 / 4;

export class ShortWay {
  readonly #frames: BlockFrames;
  readonly #taker: BlockTaker;
  /** A block that has not come whole, in the first bytes of what may be more. */
  #begun = nothing;
  #length = 0;
  #missing = 0;

  constructor(topic: string, maxBytes: number, taker: BlockTaker) {
    this.#frames = new BlockFrames(topic, maxBytes);
    this.#taker = taker;
  }

  /** @returns what goes on into the stream */
  pass(chunk: Buffer): Buffer {
    if (this.#missing === 0) return this.#pass(chunk);
    this.#keep(chunk);
    this.#missing -= Math.min(this.#missing, chunk.length);
    if (this.#missing > 0) return nothing;
    const whole = this.#begun.subarray(0, this.#length);
    this.#begun = nothing;
    this.#length = 0;
    return this.#pass(whole);
  }

  #pass(bytes: Buffer): Buffer {
    const frames = this.#frames;
    let at = 0;
    while (at < bytes.length && this.#taker.isFree()) {
      const missing = frames.missing(bytes, at);
      if (missing > 0) return this.#begin(bytes.subarray(at), missing);
      if (missing < 0) break;
      if (!this.#taker.take(frames.id, payloadOf(bytes, frames), frames.to - at)) break;
      at = frames.to;
    }
    return at === 0 ? bytes : bytes.subarray(at);
  }

  #begin(part: Buffer, missing: number): Buffer {
    this.#begun = Buffer.allocUnsafeSlow(part.length + Math.min(missing, expectedBytes));
    this.#missing = missing;
    this.#keep(part);
    return nothing;
  }

  /** Room doubles: who sends byte by byte gets no object for each. */
  #keep(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > this.#begun.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#begun.length));
      this.#begun.copy(more, 0, 0, this.#length);
      this.#begun = more;
    }
    piece.copy(this.#begun, this.#length);
    this.#length = length;
  }
}

function payloadOf(bytes: Buffer, { from, to }: BlockFrames): Buffer {
  const payload = bytes.subarray(from, to);
  return payload.length < leastPart * bytes.buffer.byteLength ? Buffer.from(payload) : payload;
}
