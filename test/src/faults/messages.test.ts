/** What arrives twice, in another order, long after, or is none of ours. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { topicOf } from '@edgeward/shared/topics';
import { until } from '../support/processes.js';
import { garbage } from './damage.js';
import {
  announcement,
  connectFrame,
  framesIn,
  isBlock,
  isGoodbye,
  publishFrame,
  speak,
} from './mqtt-frames.js';
import { assertExactlyOnce, faults } from './oracle.js';
import { gateway, Plant } from './plant.js';
import { amount, minutes } from './scale.js';
import { shuffled, underSeeds } from './seeds.js';
import { type Site, siteWith } from './site.js';

/** Everything an agent said on its way through the whole recording, packet by packet. The agent has left. */
async function recorded({ plant, proxy }: Site): Promise<Buffer[]> {
  plant.start('collector');
  await until('the collector answers', () => plant.ledger());
  proxy.record();
  plant.start('agent');
  await plant.untilStored(plant.rows);
  await plant.stop('agent');
  assert.equal(proxy.recorded.length, 1, 'on one connection');
  const frames = framesIn(Buffer.concat(proxy.recorded[0]!)).filter(frame => !isGoodbye(frame));
  assert.ok(frames.filter(isBlock).length >= 10, 'in several blocks');
  return frames;
}

/** New and doubled ones. */
async function blocksTaken(plant: Plant): Promise<number> {
  const stored = await plant.metric('collector_blocks_stored_total');
  return stored + (await plant.metric('collector_duplicates_total'));
}

test('messages: a whole connection replayed adds nothing', { timeout: minutes(3) }, async () => {
  await using site = await siteWith({ rowsPerDevice: 600, rowsPerSecond: 'max' });
  const { plant } = site;
  const frames = await recorded(site);
  const before = await plant.metric('collector_rows_stored_total');
  const taken = await blocksTaken(plant);
  const said = await speak(plant.brokerPort, frames);
  const blocks = frames.filter(isBlock).length;
  await until('the blocks came again', async () => (await blocksTaken(plant)) - taken === blocks);
  said.destroy();
  assert.equal(await plant.metric('collector_rows_stored_total'), before, 'rows are journaled again');
  await plant.stop('collector');
  assertExactlyOnce(plant.expected, plant.sinkRows());
});

test('messages: doubled and out of order, each row is stored once', { timeout: minutes(10) }, async () => {
  await underSeeds('messages out of order', amount(1, 10), async seed => {
    const rng = seededRng(seed);
    await using site = await siteWith({ rowsPerDevice: 600, rowsPerSecond: 'max' });
    const { plant } = site;
    const frames = await recorded(site);
    await plant.kill('collector');
    for (const folder of [plant.collectorFolder, plant.sinkFolder]) rmSync(folder, { recursive: true });
    plant.start('collector');
    await until('the collector listens', () => plant.ledger());
    const hello = frames.slice(0, frames.findIndex(isBlock));
    const blocks = shuffled([...frames, ...frames].filter(isBlock), rng);
    const said = await speak(plant.brokerPort, [...hello, ...blocks]);
    await until('all has come', async () => (await blocksTaken(plant)) === blocks.length);
    said.destroy();
    await plant.stop('collector');
    assert.deepEqual(faults({ ...plant.verdict(), disordered: [] }), []);
  });
});

test('messages: garbage is kept aside, and readings go on', { timeout: minutes(3) }, async () => {
  const seed = testSeed('garbage');
  const rng = seededRng(seed);
  await using site = await siteWith({ rowsPerDevice: 2000, rowsPerSecond: 400 });
  const { plant, proxy } = site;
  proxy.record();
  plant.startBoth();
  await plant.untilStored(100);
  await plant.stop('agent');
  const frames = framesIn(Buffer.concat(proxy.recorded.at(-1)!));
  const hello = frames.slice(0, frames.findIndex(isBlock));
  const noise = Array.from({ length: 20 }, () => garbage(1 + Math.floor(rng() * 3000), rng));
  const blocks = noise.map(bytes => publishFrame(topicOf(gateway, 'block'), bytes));
  const said = await speak(plant.brokerPort, [...hello, ...blocks]);
  await until('all is kept aside', async () => (await plant.metric('collector_dead_letters_total')) >= 20);
  said.destroy();
  for (let i = 0; i < 20; i++) (await speak(plant.brokerPort, [garbage(200, rng)])).destroy();
  plant.start('agent');
  await plant.finish();
  assertExactlyOnce(plant.expected, plant.sinkRows());
});

test('messages: a huge one is refused before it is taken in', { timeout: minutes(3) }, async () => {
  await using plant = await Plant.create({ rowsPerDevice: 3000, rowsPerSecond: 300 });
  plant.startBoth();
  await plant.untilStored(100);
  const before = await plant.metric('process_resident_memory_bytes');
  const mebibyte = Buffer.alloc(1024 * 1024, 0x20);
  for (const name of ['stranger-1', 'stranger-2', 'stranger-3']) {
    const pieces = Array.from({ length: 200 }, () => mebibyte);
    const said = await speak(plant.brokerPort, [connectFrame(name), announcement(250e6), ...pieces]);
    await until('it is hung up on', async () => said.destroyed);
  }
  const grown = (await plant.metric('process_resident_memory_bytes')) - before;
  assert.ok(grown < 100e6, `the collector grew by ${Math.round(grown / 1e6)} MB`);
  await plant.finish();
  assertExactlyOnce(plant.expected, plant.sinkRows());
});
