/** What is told of simulated fleets without a fault, and with faults below every limit. All of it: `evaluate:health`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '@edgeward/shared/testing/seed';
import { OwnPastArm } from './arms.js';
import { faults, minutesADay } from './simulated.js';
import { falseEpisodes, findFault } from './trial.js';

const seed = testSeed('own past');

test('a fleet of ten that nobody disturbs is hardly told', () => {
  const fleet = { kind: 'pipeline-gateway' as const, devices: 10, seed, days: 10 };
  const episodes = falseEpisodes(fleet, new OwnPastArm(fleet.kind, 10), 3);
  assert.ok(episodes <= 5, `${episodes} in a week; 0.8 is the mean; SEED=${seed}`);
});

test('most of the faults that no rule tells are found', () => {
  const found = faults.map(fault => {
    const fleet = { kind: fault.kind, devices: 1, seed, days: 10 };
    return findFault(fleet, new OwnPastArm(fault.kind, 1), fault, 9 * minutesADay + 400, 360).minutes;
  });
  const missed = faults.filter((_, i) => found[i] === undefined).map(({ name }) => name);
  assert.ok(missed.length <= 1, `missed: ${missed.join('; ')}; SEED=${seed}`);
});
