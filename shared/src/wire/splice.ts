/** Puts the context of a trace into a block that was made without: all behind it moves on by whole bytes. */

/** @param at  the bit of `bytes` that comes behind what is added  @returns a copy */
export function spliced(bytes: Uint8Array, at: number, added: Uint8Array): Buffer {
  const [byte, bit] = [at >>> 3, at & 7];
  const made = Buffer.allocUnsafe(bytes.length + added.length);
  made.set(bytes.subarray(0, byte));
  // Least significant bits come first: what stood before the place stays in the lower part of its byte.
  let carried = bytes[byte]! & ((1 << bit) - 1);
  for (let i = 0; i < added.length; i++) {
    made[byte + i] = carried | (added[i]! << bit);
    carried = added[i]! >>> (8 - bit);
  }
  made[byte + added.length] = carried | (bytes[byte]! & ~((1 << bit) - 1));
  made.set(bytes.subarray(byte + 1), byte + added.length + 1);
  return made;
}
