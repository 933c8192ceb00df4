import { subSeed } from '../rng.js';

/**
 * The seed of a test, printed. Without a wish it is fixed by the name: a change is judged by what it changed, not by
 * the luck of a draw. SEED=n repeats a run; SEED=random draws a fresh one, as `npm run test:faults` does to roam.
 * @throws RangeError if SEED is neither
 */
export function testSeed(name: string): number {
  const seed = seedFor(name, process.env.SEED);
  console.log(`SEED=${seed} (${name})`);
  return seed;
}

/** One number wanted by SEED=n, else undefined. */
export function wantedSeed(): number | undefined {
  const { SEED: wish } = process.env;
  return wish && wish !== 'random' ? seedFor('', wish) : undefined;
}

/** @param wish  what SEED says */
export function seedFor(name: string, wish: string | undefined): number {
  if (!wish) return subSeed(0, name) % 1e9;
  if (wish === 'random') return Math.floor(Math.random() * 1e9);
  const seed = Number(wish);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`SEED=${wish} is no seed: set it to a whole number from 0, or to "random".`);
  return seed;
}
