/** Processes that stand still, run out of memory or must share their machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/processes.js';
import { assertExactlyOnce } from './oracle.js';
import { Plant } from './plant.js';
import { full, minutes, rigTest } from './scale.js';

for (const victim of ['agent', 'collector'] as const)
  rigTest(
    `process: the ${victim} stands still (SIGSTOP) and goes on`,
    {
      inShort: victim === 'collector',
      timeout: minutes(5),
    },
    async () => {
      await using plant = await Plant.create({
        rowsPerDevice: full ? 30_000 : 4000,
        rowsPerSecond: 400,
        uplink: { keepAliveS: 2 },
      });
      plant.startBoth();
      await plant.untilStored(300);
      plant.process(victim).freeze();
      await sleep(full ? 60_000 : 5000); // more than two keep-alives; what is tested is that time
      plant.process(victim).resume();
      await plant.untilMore(300);
      await plant.finish();
      assertExactlyOnce(plant.expected, plant.sinkRows());
    },
  );

test('process: an agent whose memory is limited drains a backlog', { timeout: minutes(5) }, async () => {
  await using plant = await Plant.create({
    rowsPerDevice: full ? 200_000 : 30_000,
    rowsPerSecond: 'max',
    batchRows: 500,
    env: { NODE_OPTIONS: '--max-old-space-size=64' },
  });
  const agent = plant.start('agent');
  await until('the backlog is there', async () => plant.outboxBytes() > (full ? 4e6 : 500_000), 60_000);
  plant.start('collector');
  await plant.untilStored(plant.rows, minutes(3));
  assert.ok(agent.running, `it never ended:\n${agent.stderr.slice(-1000)}`);
  await plant.finish();
  assertExactlyOnce(plant.expected, plant.sinkRows());
});
