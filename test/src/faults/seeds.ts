/**
 * Seeds of a test that takes random turns. A seed that failed is kept in test/faults-seeds.json and comes first until
 * it passes; SEED=n runs only that one. The others are fixed by the name, or drawn with SEED=random.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Rng } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { testSeed, wantedSeed } from '@edgeward/shared/testing/seed';
import { root } from '../support/root.js';

const file = path.join(root, 'test', 'faults-seeds.json');
type Kept = Readonly<Record<string, readonly number[]>>;

function kept(): Kept {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Kept;
  } catch {
    return {};
  }
}

function keep(name: string, seeds: readonly number[]): void {
  const { [name]: _former, ...others } = kept();
  const now = seeds.length ? { ...others, [name]: seeds } : others;
  writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`);
}

/** Runs `story` under so many seeds, after those that failed before. @throws what the story throws */
export async function underSeeds(
  name: string,
  times: number,
  story: (seed: number) => Promise<void>,
): Promise<void> {
  const wanted = wantedSeed();
  const former = kept()[name] ?? [];
  const first = testSeed(name);
  const next = Array.from({ length: times }, (_, i) => first + i);
  for (const seed of wanted === undefined ? [...former, ...next] : [wanted]) {
    console.log(`${name}: SEED=${seed}`);
    const others = (kept()[name] ?? []).filter(other => other !== seed);
    try {
      await story(seed);
    } catch (error) {
      keep(name, [...others, seed]);
      throw new Error(`SEED=${seed} fails (kept in ${path.basename(file)}): ${messageOf(error)}`, {
        cause: error,
      });
    }
    if (former.includes(seed)) keep(name, others);
  }
}

export function shuffled<T>(items: readonly T[], rng: Rng): T[] {
  const keyed = items.map(item => ({ item, at: rng() }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
