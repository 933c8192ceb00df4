/**
 * Which messages the broker may send again although they are stored.
 *
 * A message is stored, then acknowledged; if the acknowledgement does not arrive, the broker sends the message
 * again, marked as a duplicate, in the same session and under the same packet identifier. So identifiers of
 * stored messages are kept, each with a checksum of topic and payload, from the commit that holds their rows
 * (the position lies in that commit) until the broker has certainly seen the acknowledgement: until it answers a
 * PINGREQ that was sent behind it.
 *
 * The rule: a message is dropped, and acknowledged, if it is marked as a duplicate, its identifier is kept, the
 * session is the one it was kept in, and the checksum agrees. Everything else is new.
 *
 * Why the checksum: a broker may give an identifier to a new message as soon as it has our acknowledgement, before
 * we know that it has. Cut off just then, it sends the new message as a duplicate under the kept identifier.
 *
 * What can still go wrong
 * - Lost: such a new message that equals the old one byte for byte. Brokers that count identifiers up, as mosquitto
 *   and aedes do, would have to send 65,535 others within that round trip.
 * - Doubled: what a broker sends again although it was acknowledged and the ping behind it answered: one that
 *   crashed and went back to an older copy of its sessions; or what it first sends again later than a keep-alive
 *   interval into a new connection, when it has sent new messages before.
 */
import { crc32c } from '@edgeward/shared/crc32c';
import type { Message } from './frames.js';

interface Kept {
  readonly crc: number;
  /** The connection it was stored or acknowledged on, counted. */
  link: number;
  /** Of its acknowledgement on that connection; 0 = none yet. */
  mark: number;
}

/** A stored message: identifier and checksum. */
export interface Fingerprint {
  readonly id: number;
  readonly crc: number;
}

const bytesEach = 6;

export function fingerprint({ id, bytes, from, end }: Message): Fingerprint {
  return { id, crc: crc32c(bytes.subarray(from, end)) };
}

export class Redelivery {
  readonly #kept = new Map<number, Kept>();
  #acknowledged: { readonly mark: number; readonly ids: readonly number[] }[] = [];
  #link = 0;

  /** A new connection: what was acknowledged on an earlier one may have been lost with it. */
  reconnect(): void {
    this.#link += 1;
    this.#acknowledged = [];
    for (const kept of this.#kept.values()) kept.mark = 0;
  }

  /** The session is another one: its identifiers mean nothing any more. */
  forget(): void {
    this.#kept.clear();
    this.#acknowledged = [];
  }

  /** Whether this message is stored already. Call it for every message, in the order they come. */
  isStored(message: Message, { id, crc }: Fingerprint): boolean {
    const kept = this.#kept.get(id);
    if (!kept) return false;
    if (message.dup && kept.crc === crc) return true;
    this.#kept.delete(id); // the broker uses the identifier again, so it has our acknowledgement
    return false;
  }

  stored(messages: readonly Fingerprint[]): void {
    for (const { id, crc } of messages) this.#kept.set(id, { crc, link: this.#link, mark: 0 });
  }

  /** PUBACKs for these were written as the `mark`-th of this connection, from 1. */
  acknowledged(ids: readonly number[], mark: number): void {
    for (const id of ids) {
      const kept = this.#kept.get(id);
      if (kept) Object.assign(kept, { link: this.#link, mark });
    }
    this.#acknowledged.push({ mark, ids });
  }

  /** The broker has read all PUBACKs of this connection up to the `mark`-th. */
  flushed(mark: number): void {
    while (this.#acknowledged[0] && this.#acknowledged[0].mark <= mark) {
      const { mark: written, ids } = this.#acknowledged.shift()!;
      for (const id of ids) {
        const kept = this.#kept.get(id);
        if (kept?.mark === written && kept.link === this.#link) this.#kept.delete(id);
      }
    }
  }

  /** The connection has lasted: what the broker has not sent again by now it will not. */
  settle(): void {
    for (const [id, { link }] of this.#kept) if (link < this.#link) this.#kept.delete(id);
  }

  /** Everything kept and these, as text. */
  encode(messages: readonly Fingerprint[]): string {
    const all = new Map([...this.#kept].map(([id, { crc }]) => [id, crc]));
    for (const { id, crc } of messages) all.set(id, crc);
    const bytes = Buffer.allocUnsafe(all.size * bytesEach);
    let at = 0;
    for (const [id, crc] of all) {
      bytes.writeUInt16BE(id, at);
      bytes.writeUInt32BE(crc, at + 2);
      at += bytesEach;
    }
    return bytes.toString('base64');
  }

  /** From an earlier process. */
  restore(text: string): void {
    const bytes = Buffer.from(text, 'base64');
    for (let at = 0; at + bytesEach <= bytes.length; at += bytesEach) {
      this.#kept.set(bytes.readUInt16BE(at), { crc: bytes.readUInt32BE(at + 2), link: this.#link, mark: 0 });
    }
  }
}
