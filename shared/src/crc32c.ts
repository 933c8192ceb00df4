/** CRC-32C (Castagnoli; RFC 3720 appendix B.4), eight bytes a step. */
const polynomial = 0x82f63b78;
const tables = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    first[n] = crc >>> 0;
  }
  const all = [first];
  for (let t = 1; t < 8; t++) {
    const before = all[t - 1]!;
    all.push(Uint32Array.from(before, crc => (crc >>> 8) ^ first[crc & 0xff]!));
  }
  return all;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/**
 * @param length  of the first bytes that count
 * @returns the checksum as an unsigned 32-bit number
 */
export function crc32c(bytes: Uint8Array, length = bytes.length): number {
  let crc = 0xffffffff;
  let i = 0;
  for (const end = length - 7; i < end; i += 8) {
    const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum's inner state before the first byte. */
export const crc32cBegin = 0xffffffff;

/** One byte further. @returns the inner state; its complement is the checksum so far */
export function crc32cStep(state: number, byte: number): number {
  return (state >>> 8) ^ t0[(state ^ byte) & 0xff]!;
}
