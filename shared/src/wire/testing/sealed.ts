import assert from 'node:assert/strict';
import { crc32c } from '../../crc32c.js';
import { EdgewardError } from '../../errors.js';
import { BitWriter } from '../bit-writer.js';
import { type Described, decodeBlock, readHeader } from '../block.js';

/** The bytes with a checksum that is right: what a faulty or hostile sender can make. */
export function sealed(bytes: Uint8Array): Uint8Array {
  const made = Buffer.alloc(bytes.length + 4);
  made.set(bytes);
  made.writeUInt32LE(crc32c(bytes), bytes.length);
  return made;
}

export const unsealed = (bytes: Uint8Array) => Uint8Array.from(bytes.subarray(0, -4));

/** A block of any bits. */
export function forged(write: (out: BitWriter) => void): Uint8Array {
  const out = new BitWriter();
  write(out);
  const bytes = new Uint8Array(out.byteLength);
  out.copyInto(bytes);
  return sealed(bytes);
}

/** True if it was refused as it should be; anything but our two errors is a failure. */
export function refused(bytes: Uint8Array, described: Described, what: string): boolean {
  const outcomes = [() => decodeBlock(bytes, () => described), () => readHeader(bytes)].map(decode => {
    try {
      decode();
      return false;
    } catch (error) {
      assert.ok(error instanceof EdgewardError, `${what}: ${error}`);
      assert.ok(/^EW_BLOCK_(CORRUPT|VERSION)$/.test(error.code), `${what}: ${error}`);
      return true;
    }
  });
  assert.ok(outcomes[0] || !outcomes[1], `${what}: the header alone is not refused if the whole is taken`);
  return outcomes[0]!;
}
