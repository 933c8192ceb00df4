/** What a bad card, a bad cable or a bad editor does to the files of a store, at every class of offset. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Rng } from '@edgeward/shared/contracts';

/** Files of a LevelDB folder and the marker beside it. */
export const fileClasses = {
  CURRENT: /^CURRENT$/,
  MANIFEST: /^MANIFEST-/,
  log: /\.log$/,
  table: /\.ldb$/,
} as const;
export type FileClass = keyof typeof fileClasses | 'marker';

export interface Damage {
  readonly name: string;
  readonly apply: (file: string, rng: Rng) => void;
}

/** Head, middle and end of a file have different meaning: headers and blocks, records, footers and tails. */
const flipBetween = (where: string, from: number, to: number): Damage => ({
  name: `one bit flipped ${where}`,
  apply: (file, rng) => {
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length * (from + (to - from) * rng()));
    if (bytes.length > 0) bytes[at]! ^= 1 << Math.floor(rng() * 8);
    writeFileSync(file, bytes);
  },
});

const cutTo = (name: string, keep: (length: number, rng: Rng) => number): Damage => ({
  name,
  apply: (file, rng) => {
    const { length } = readFileSync(file);
    truncateSync(file, Math.max(0, Math.floor(keep(length, rng))));
  },
});

export const damages: readonly Damage[] = [
  { name: 'missing', apply: file => rmSync(file) },
  cutTo('empty', () => 0),
  cutTo('cut at a random offset', (length, rng) => length * rng()),
  cutTo('torn at its end', (length, rng) => length - 1 - rng() * 20),
  flipBetween('at its head', 0, 0.05),
  flipBetween('in its middle', 0.05, 0.95),
  flipBetween('at its end', 0.95, 1),
  {
    name: 'a hole of zeros',
    apply: (file, rng) => {
      const bytes = readFileSync(file);
      const at = Math.floor(bytes.length * rng());
      writeFileSync(file, bytes.fill(0, at, Math.min(bytes.length, at + 4096)));
    },
  },
  { name: 'replaced by garbage', apply: (file, rng) => writeFileSync(file, garbage(300, rng)) },
];

/** @returns the files of that class in a store's folder, in the order of their names */
export function filesOf(store: string, kind: FileClass): string[] {
  if (kind === 'marker') return [`${store}.json`];
  return readdirSync(store)
    .filter(name => fileClasses[kind].test(name))
    .sort()
    .map(name => path.join(store, name));
}

export function garbage(length: number, rng: Rng): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(rng() * 256)));
}
