/** A bad network between agent and collector, on loopback: slow, late, half-open, cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng } from '@edgeward/shared/rng';
import { until } from '../support/processes.js';
import type { Weather } from './fault-proxy.js';
import { assertExactlyOnce } from './oracle.js';

import { amount, full, minutes, rigTest } from './scale.js';
import { underSeeds } from './seeds.js';
import { siteWith } from './site.js';

const weathers: Readonly<Record<string, Weather>> = {
  'half a second late': { latencyMs: 500 },
  '20 kB a second': { bytesPerSecond: 20_000 },
  'cut after every 5 kB': { cutAfterBytes: 5000 },
};

for (const [name, weather] of Object.entries(weathers))
  rigTest(
    `network: ${name}`,
    {
      inShort: 'cutAfterBytes' in weather,
      timeout: minutes(5),
    },
    async () => {
      await using site = await siteWith({ rowsPerDevice: amount(600, 3000), rowsPerSecond: 300 });
      const { plant, proxy } = site;
      proxy.set(weather);
      plant.startBoth();
      await plant.untilStored(plant.rows / 3);
      proxy.set({});
      await plant.finish();
      assertExactlyOnce(plant.expected, plant.sinkRows());
    },
  );

test('network: a half-open connection is noticed and left', { timeout: minutes(5) }, async () => {
  await using site = await siteWith({
    rowsPerDevice: 3000,
    rowsPerSecond: 300,
    uplink: { keepAliveS: 2 },
  });
  const { plant, proxy } = site;
  plant.startBoth();
  await plant.untilStored(300);
  const before = proxy.connections;
  proxy.set({ silent: true });
  await until('it connects anew', async () => proxy.connections > before, 30_000);
  proxy.set({});
  await plant.finish();
  assertExactlyOnce(plant.expected, plant.sinkRows());
});

test('network: a partition is bridged', { timeout: minutes(15) }, async () => {
  await using site = await siteWith({ rowsPerDevice: full ? 60_000 : 6000, rowsPerSecond: 400 });
  const { plant, proxy } = site;
  plant.startBoth();
  await plant.untilStored(300);
  proxy.set({ cut: true });
  await sleep(full ? 60_000 : 3000); // what is tested is that time
  proxy.set({});
  await plant.untilMore(600);
  await plant.finish(minutes(3));
  assertExactlyOnce(plant.expected, plant.sinkRows());
});

test('network: weather that changes at random', { timeout: minutes(30) }, async () => {
  await underSeeds('weather', amount(1, 10), async seed => {
    const rng = seededRng(seed);
    await using site = await siteWith({
      rowsPerDevice: 8000,
      rowsPerSecond: 400,
      uplink: { keepAliveS: 2 },
    });
    const { plant, proxy } = site;
    plant.startBoth();
    await plant.untilStored(100);
    for (let change = 0; change < (full ? 20 : 6); change++) {
      proxy.set(someWeather(rng()));
      await sleep(300 + rng() * 1200);
    }
    proxy.set({});
    await plant.finish();
    assertExactlyOnce(plant.expected, plant.sinkRows());
    assert.ok(proxy.connections > 1, 'the link broke');
  });
});

function someWeather(chance: number): Weather {
  const kinds: readonly Weather[] = [
    { cut: true },
    { silent: true },
    { latencyMs: 200 },
    { bytesPerSecond: 5000 },
    { cutAfterBytes: 2000 },
    {},
  ];
  return kinds[Math.floor(chance * kinds.length)]!;
}
