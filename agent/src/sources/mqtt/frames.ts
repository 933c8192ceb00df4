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
  /** Longer than agreed: its payload was not kept. It would be sent again for ever if it ended the connection. */
  readonly tooLong: boolean;
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

/** Cuts a stream of bytes into packets. Never holds more than one unfinished packet, within the limit. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #handler: FrameHandler;
  #parts: Buffer[] = [];
  #held = 0;
  /** So many bytes must be there before it is worth looking again. */
  #needed = 2;
  /** The rest of a message that is too long goes by. */
  #passing: { readonly message: Message; left: number } | undefined;

  constructor(maxBytes: number, handler: FrameHandler) {
    this.#maxBytes = maxBytes;
    this.#handler = handler;
  }

  /** @throws FrameError, after which the connection is of no use */
  push(chunk: Buffer, nowMs: number): void {
    const kept = this.#passing ? chunk.subarray(this.#pass(chunk.length)) : chunk;
    if (kept.length === 0) return;
    this.#parts.push(kept);
    this.#held += kept.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#parts.length === 1 ? kept : Buffer.concat(this.#parts);
    const rest = bytes.subarray(this.#cut(bytes, nowMs));
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
  }

  /** @returns how many of so many bytes belong to the message that goes by */
  #pass(bytes: number): number {
    const passing = this.#passing!;
    const passed = Math.min(bytes, passing.left);
    passing.left -= passed;
    if (passing.left === 0) {
      this.#passing = undefined;
      this.#handler.message(passing.message);
    }
    return passed;
  }

  /** @returns where the first unfinished packet begins */
  #cut(bytes: Buffer, nowMs: number): number {
    let at = 0;
    while (at < bytes.length) {
      const body = this.#bodyOf(bytes, at);
      if (body === undefined) return at;
      const size = body.at - at + body.length;
      const isMessage = bytes[at]! >> 4 === publish;
      if (size > this.#maxBytes) {
        if (!isMessage) throw new FrameError(`a packet of ${size} bytes that is no message`);
        const message = this.#longMessage(bytes, at, body.at, body.at + body.length, nowMs);
        if (!message) return at;
        this.#passing = { message, left: size };
        at += this.#pass(bytes.length - at);
        continue;
      }
      if (size > bytes.length - at) {
        this.#needed = size;
        return at;
      }
      if (isMessage) this.#handler.message(messageOf(bytes, at, body.at, at + size, nowMs));
      else this.#handler.packet(bytes.subarray(at, at + size));
      at += size;
    }
    this.#needed = 2;
    return at;
  }

  /** Where a packet goes on behind its length; undefined if that is not there yet. */
  #bodyOf(bytes: Buffer, at: number): { readonly at: number; readonly length: number } | undefined {
    const first = bytes[at]!;
    if (first >> 4 !== publish && !others.includes(first))
      throw new FrameError(`a packet that begins with 0x${first.toString(16)}`);
    let length = 0;
    for (let digit = 0; digit < 4; digit++) {
      const byte = bytes[at + 1 + digit];
      if (byte === undefined) {
        this.#needed = digit + 2;
        return undefined;
      }
      length |= (byte & 0x7f) << (7 * digit);
      if (byte < 0x80) return { at: at + 2 + digit, length };
    }
    throw new FrameError('a packet length of more than four bytes'); // section 2.2.3
  }

  /** Undefined if its topic and identifier are not there yet. */
  #longMessage(bytes: Buffer, at: number, body: number, end: number, nowMs: number): Message | undefined {
    const head = body + 2 <= bytes.length ? body + 4 + bytes.readUInt16BE(body) : body + 4;
    if (head > bytes.length) {
      this.#needed = head - at;
      return undefined;
    }
    const message = messageOf(bytes, at, body, end, nowMs);
    return {
      ...message,
      bytes: Buffer.from(bytes.subarray(message.from, message.payloadAt)),
      from: 0,
      payloadAt: message.payloadAt - message.from,
      end: message.payloadAt - message.from,
      tooLong: true,
    };
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
  const [dup, retain] = [(flags & 8) !== 0, (flags & 1) !== 0];
  return { topic, bytes, from, payloadAt, end, id, dup, retain, atMs, tooLong: false };
}

/** PUBACKs, in the order given [MQTT-4.6.0-2], as one piece. */
export function pubacks(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * ids.length);
  for (const [i, id] of ids.entries()) bytes.writeUInt32BE(0x40020000 + id, 4 * i);
  return bytes;
}
