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

export class ShortWay {
  readonly #frames: BlockFrames;
  readonly #taker: BlockTaker;
  /** Of a block that has not come whole. */
  #begun: Buffer[] = [];
  #missing = 0;

  constructor(topic: string, maxBytes: number, taker: BlockTaker) {
    this.#frames = new BlockFrames(topic, maxBytes);
    this.#taker = taker;
  }

  /** @returns what goes on into the stream */
  pass(chunk: Buffer): Buffer {
    if (this.#missing === 0) return this.#pass(chunk);
    this.#begun.push(chunk);
    this.#missing -= Math.min(this.#missing, chunk.length);
    return this.#missing > 0 ? nothing : this.#pass(Buffer.concat(this.#begun.splice(0)));
  }

  #pass(bytes: Buffer): Buffer {
    const frames = this.#frames;
    let at = 0;
    while (at < bytes.length && this.#taker.isFree()) {
      const missing = frames.missing(bytes, at);
      if (missing > 0) return this.#begin(bytes.subarray(at), missing);
      if (missing < 0) break;
      if (!this.#taker.take(frames.id, bytes.subarray(frames.from, frames.to), frames.to - at)) break;
      at = frames.to;
    }
    return at === 0 ? bytes : bytes.subarray(at);
  }

  #begin(part: Buffer, missing: number): Buffer {
    this.#begun.push(part);
    this.#missing = missing;
    return nothing;
  }
}
