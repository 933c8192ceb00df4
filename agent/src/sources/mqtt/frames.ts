/** Bytes of a connection to MQTT control packets (MQTT 3.1.1, section 2). */

/** A PUBLISH; its payload lies in `bytes` from `payloadAt` to `end`. */
export interface Message {
  readonly topic: string;
  readonly bytes: Buffer;
  /** Where the topic begins: from here to `end` is what makes two messages the same. */
  readonly from: number;
  readonly payloadAt: number;
  readonly end: number;
  /** Packet identifier; 0 = QoS 0. */
  readonly id: number;
  readonly dup: boolean;
  readonly retain: boolean;
  /** When it came, ms since Unix epoch. */
  readonly atMs: number;
}

export interface FrameHandler {
  message(message: Message): void;
  /** Any other packet, whole. */
  packet(frame: Buffer): void;
}

/** What the broker sent is no MQTT, or more than was agreed. */
export class FrameError extends Error {}

const publish = 3;
/** First bytes of CONNACK, SUBACK and PINGRESP: all else that a broker may send us. */
const others: readonly number[] = [0x20, 0x90, 0xd0];

/** Cuts a stream of bytes into packets. Never holds more than one unfinished packet. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #handler: FrameHandler;
  #parts: Buffer[] = [];
  #held = 0;
  /** So many bytes must be there before it is worth looking again. */
  #needed = 2;

  constructor(maxBytes: number, handler: FrameHandler) {
    this.#maxBytes = maxBytes;
    this.#handler = handler;
  }

  /** @throws FrameError, after which the connection is of no use */
  push(chunk: Buffer, nowMs: number): void {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    const rest = bytes.subarray(this.#cut(bytes, nowMs));
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
  }

  /** @returns where the first unfinished packet begins */
  #cut(bytes: Buffer, nowMs: number): number {
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      const first = bytes[at];
      if (first !== undefined && first >> 4 !== publish && !others.includes(first))
        throw new FrameError(`a packet that begins with 0x${first.toString(16)}`);
      let length = 0;
      let header = 1;
      for (let shift = 0, more = true; more; shift += 7, header++) {
        if (header >= left) {
          this.#needed = header + 1;
          return at;
        }
        if (header > 4) throw new FrameError('a packet length of more than four bytes'); // [section 2.2.3]
        const byte = bytes[at + header]!;
        length |= (byte & 0x7f) << shift;
        more = byte > 0x7f;
      }
      const size = header + length;
      if (size > this.#maxBytes)
        throw new FrameError(`a packet of ${size} bytes, more than maxPacketBytes (${this.#maxBytes})`);
      if (size > left) {
        this.#needed = size;
        return at;
      }
      if (first! >> 4 === publish) this.#handler.message(messageOf(bytes, at, at + header, at + size, nowMs));
      else this.#handler.packet(bytes.subarray(at, at + size));
      at += size;
    }
  }
}

function messageOf(bytes: Buffer, at: number, body: number, end: number, atMs: number): Message {
  const flags = bytes[at]!;
  const qos = (flags >> 1) & 3;
  if (qos > 1) throw new FrameError(`a message of QoS ${qos}, which was not asked for`);
  const from = body + 2;
  const topicEnd = from + (body + 2 <= end ? bytes.readUInt16BE(body) : 0);
  const payloadAt = topicEnd + 2 * qos;
  if (topicEnd === from || payloadAt > end) throw new FrameError('a message that is cut short');
  const id = qos === 0 ? 0 : bytes.readUInt16BE(topicEnd);
  if (qos === 1 && id === 0) throw new FrameError('a message with the packet identifier 0'); // [MQTT-2.3.1-1]
  const topic = bytes.toString('utf8', from, topicEnd);
  return { topic, bytes, from, payloadAt, end, id, dup: (flags & 8) !== 0, retain: (flags & 1) !== 0, atMs };
}

/** PUBACKs, in the order given [MQTT-4.6.0-2], as one piece. */
export function pubacks(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * ids.length);
  for (const [i, id] of ids.entries()) bytes.writeUInt32BE(0x40020000 + id, 4 * i);
  return bytes;
}
