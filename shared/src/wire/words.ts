/** Hex digits as 32-bit words, eight digits each. */
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hexOf(word: number): string {
  const high = hexOfByte[word >>> 24]! + hexOfByte[(word >>> 16) & 255]!;
  return high + hexOfByte[(word >>> 8) & 255]! + hexOfByte[word & 255]!;
}

export function wordsOfHex(hex: string): number[] {
  return Array.from({ length: hex.length / 8 }, (_, w) => Number.parseInt(hex.slice(8 * w, 8 * w + 8), 16));
}
