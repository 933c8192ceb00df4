/** A value that keeps bytes with facts about them: the length of the facts, the facts as JSON, the bytes. */
import { parseJson } from './layout.js';

const lengthBytes = 4;

export function letterValue(facts: unknown, bytes: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(facts), 'utf8');
  const value = Buffer.alloc(lengthBytes + json.length + bytes.length);
  value.writeUInt32LE(json.length, 0);
  value.set(json, lengthBytes);
  value.set(bytes, lengthBytes + json.length);
  return value;
}

/** Undefined where there are none. */
export function factsIn(value: Buffer): unknown {
  return parseJson(value.subarray(lengthBytes, lengthBytes + lengthOf(value)));
}

export function bytesIn(value: Buffer): Buffer {
  return value.subarray(lengthBytes + lengthOf(value));
}

function lengthOf(value: Buffer): number {
  return value.length < lengthBytes ? 0 : Math.min(value.readUInt32LE(0), value.length - lengthBytes);
}
