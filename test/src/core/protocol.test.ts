/**
 * The delivery protocol, whole, against a model of all it stands on: real outbox, forward loop, ingest, journal,
 * releases, consumer and ledger; clock, network and disks are modelled, and go wrong by seed.
 *
 * EDGEWARD_PROTOCOL_RUNS=n plays so many seeds, EDGEWARD_PROTOCOL_SEED=n one and shows what happened in it.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { seededRng, subSeed } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { root } from '../support/root.js';
import { run, type Trouble, takeOver } from './protocol-run.js';
import { type Plan, planOf } from './protocol-schedule.js';

const runs = Number(process.env.EDGEWARD_PROTOCOL_RUNS ?? 300);
const only = process.env.EDGEWARD_PROTOCOL_SEED;
const stepsOfARun = 60;
/** Seeds that failed once: they come first, for ever. */
const seedsFile = path.join(root, 'test', 'seeds', 'protocol.json');

let giveBack: () => void;
before(() => {
  giveBack = takeOver();
});
after(() => giveBack());

function planFor(seed: number, steps = stepsOfARun): Plan {
  return planOf(seed, seededRng(subSeed(seed, 'plan')), steps);
}

function keptSeeds(): number[] {
  return JSON.parse(readFileSync(seedsFile, 'utf8')) as number[];
}

function keep(seed: number): void {
  const seeds = keptSeeds();
  if (!seeds.includes(seed)) writeFileSync(seedsFile, `${JSON.stringify([...seeds, seed])}\n`);
}

/** The shortest beginning of the plan that still goes wrong. */
async function shortened(plan: Plan): Promise<Plan> {
  let [low, high] = [0, plan.steps.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { wrong } = await run({ ...plan, steps: plan.steps.slice(0, middle) });
    if (wrong.length) high = middle;
    else low = middle + 1;
  }
  return { ...plan, steps: plan.steps.slice(0, high) };
}

/** Without the steps that do not matter. */
async function thinned(plan: Plan): Promise<Plan> {
  let least = plan;
  for (let i = least.steps.length - 1; i >= 0; i--) {
    const fewer = { ...least, steps: least.steps.filter((_, at) => at !== i) };
    if ((await run(fewer)).wrong.length) least = fewer;
  }
  return least;
}

async function playSeed(seed: number): Promise<number> {
  const plan = planFor(seed);
  const { wrong, readings } = await run(plan);
  if (!wrong.length) return readings;
  keep(seed);
  const least = await thinned(await shortened(plan));
  const after = (await run(least)).wrong;
  const told = {
    ...least,
    steps: least.steps.map(({ event, thenMs }) => ({ ...event, thenMs: Math.round(thenMs) })),
  };
  assert.fail(
    `seed ${seed}: ${wrong.join('\n')}\nleast: ${after.join('\n')}\n${JSON.stringify(told, null, 1)}`,
  );
}

test('nothing is lost or doubled uncounted, whatever fails', async t => {
  const first = testSeed('protocol');
  const seeds = only
    ? [Number(only)]
    : [...keptSeeds(), ...Array.from({ length: runs }, (_, i) => first + i)];
  t.diagnostic(`seeds ${first} to ${first + runs - 1}, after ${keptSeeds().length} that failed once`);
  let readings = 0;
  for (const seed of seeds) readings += await playSeed(seed);
  t.diagnostic(`${seeds.length} runs, ${readings} readings`);
});

const fixedSeed = 7;
const fixedSteps = 30;
const troubles: readonly Pick<Trouble, 'fate' | 'death'>[] = [
  { fate: 'fail', death: 'kill' },
  { fate: 'fail-late', death: 'kill' },
  { fate: 'die', death: 'kill' },
  { fate: 'die-late', death: 'power' },
];

for (const whose of ['agent', 'collector'] as const) {
  test(`every call to the disk of the ${whose} fails once, or is its last`, {
    skip: only !== undefined,
  }, async t => {
    const plan = planFor(fixedSeed, fixedSteps);
    const { wrong, calls } = await run(plan);
    assert.deepEqual(wrong, []);
    for (let call = 1; call <= calls[whose]; call++) {
      for (const { fate, death } of troubles) {
        const { wrong } = await run(plan, { whose, call, fate, death });
        assert.deepEqual(wrong, [], `seed ${fixedSeed}, call ${call} of ${calls[whose]}, ${fate}, ${death}`);
      }
    }
    t.diagnostic(`${calls[whose]} calls, each with ${troubles.length} ends`);
  });
}
