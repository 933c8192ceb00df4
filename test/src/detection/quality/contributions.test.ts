import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '@edgeward/shared/testing/seed';
import { naming } from './contributions.js';

test('alarms of a single disturbed channel name it first, with the right direction, in 95 of 100 rows', async () => {
  const seed = testSeed('a single disturbed channel');
  const { rows, right, found, disturbed } = await naming(2, seed);
  assert.ok(found > 0.9 * disturbed, `${found} of ${disturbed} raised an alarm, SEED=${seed}`);
  assert.ok(right >= 0.95 * rows, `${right} of ${rows} rows, SEED=${seed}`);
});
