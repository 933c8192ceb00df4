/** Files of outbox and journal missing, torn, truncated and flipped: all starts, and what is lost is told. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import { type Damage, damages, type FileClass, filesOf } from './damage.js';
import { DamagedPlant, type StoreName } from './damaged-plant.js';
import { amount, minutes, rigTest } from './scale.js';
import { shuffled, underSeeds } from './seeds.js';

const prepared = new Map<StoreName, Promise<DamagedPlant>>();

async function plantWith(store: StoreName): Promise<DamagedPlant> {
  const plant = prepared.get(store) ?? DamagedPlant.prepare(store);
  prepared.set(store, plant);
  return plant;
}

after(async () => {
  for (const plant of prepared.values()) await (await plant)[Symbol.asyncDispose]();
});

interface Row {
  readonly store: StoreName;
  readonly kind: FileClass;
  readonly what: string;
  readonly damages: readonly Damage[];
}

const flips = damages.filter(({ name }) => name.startsWith('one bit'));
const others = damages.filter(damage => !flips.includes(damage));
const whole = ['CURRENT', 'MANIFEST', 'log'] as const;
const rows: readonly Row[] = [
  ...(['outbox', 'journal'] as const).flatMap(store =>
    whole.map(kind => ({ store, kind, what: `${kind} in every way`, damages })),
  ),
  { store: 'outbox', kind: 'marker', what: 'marker in every way', damages },
  { store: 'outbox', kind: 'table', what: 'bits flipped in a table', damages: flips },
  { store: 'outbox', kind: 'table', what: 'table torn, cut or replaced', damages: others },
  {
    store: 'journal',
    kind: 'table',
    what: 'bits flipped in a table',
    damages: flips,
  },
  { store: 'journal', kind: 'table', what: 'table torn, cut or replaced', damages: others },
  {
    store: 'journal',
    kind: 'marker',
    what: 'marker in every way',
    damages,
  },
];

for (const { store, kind, what, damages } of rows) {
  const inShort = kind === 'log' || kind === 'table';
  const name = `damage of the ${store}: ${what}`;
  rigTest(name, { inShort, timeout: minutes(20) }, () =>
    underSeeds(name, 1, async seed => {
      const rng = seededRng(seed);
      const failures: string[] = [];
      for (const damage of shuffled(damages, rng).slice(0, amount(1, damages.length))) {
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
