/** Files of outbox and journal missing, torn, truncated and flipped: all starts, and what is lost is told. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import { type Damage, damages, type FileClass, filesOf } from './damage.js';
import { DamagedPlant, type StoreName } from './damaged-plant.js';
import { full, minutes } from './scale.js';
import { underSeeds } from './seeds.js';

const prepared = new Map<StoreName, Promise<DamagedPlant>>();

async function plantWith(store: StoreName): Promise<DamagedPlant> {
  const plant = prepared.get(store) ?? DamagedPlant.prepare(store);
  prepared.set(store, plant);
  return plant;
}

after(async () => {
  for (const plant of prepared.values()) await (await plant)[Symbol.asyncDispose]();
});

for (const store of ['outbox', 'journal'] as const)
  for (const kind of ['CURRENT', 'MANIFEST', 'log', 'table', 'marker'] as const) {
    const name = `damage of the ${store}: ${kind}`;
    test(name, { timeout: minutes(20) }, () =>
      underSeeds(name, 1, async seed => {
        const rng = seededRng(seed);
        const some = full ? damages : [damages[Math.floor(rng() * damages.length)]!];
        const failures: string[] = [];
        for (const damage of some) {
          const plant = await plantWith(store);
          await survives(plant, store, kind, damage, rng).catch(error => failures.push(messageOf(error)));
        }
        assert.ok(failures.length === 0, failures.join('; '));
      }),
    );
  }

async function survives(plant: DamagedPlant, store: StoreName, kind: FileClass, damage: Damage, rng: Rng) {
  plant.restore();
  const files = filesOf(plant.store(store), kind);
  assert.ok(files.length > 0, `the ${store} has a ${kind}`);
  const file = files[Math.floor(rng() * files.length)]!;
  damage.apply(file, rng);
  try {
    await plant.assertNothingSilent();
  } catch (error) {
    throw new Error(`${kind} ${damage.name}: ${messageOf(error)}`, { cause: error });
  }
}
