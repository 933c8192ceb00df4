/** Disks that are full, or turn read-only, under agent and collector. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/processes.js';
import { Disk } from './disk.js';
import { lacks } from './host.js';
import { assertExactlyOnce } from './oracle.js';
import { Plant, type Victim } from './plant.js';
import { minutes, rigTest } from './scale.js';

const options = { skip: lacks('root', 'loop'), timeout: minutes(5) };
const always = { ...options, inShort: true };
const small = 48 * 1024 * 1024;

function plantOn(victim: Victim, disk: Disk): Promise<Plant> {
  return Plant.create({ rowsPerDevice: 6000, rowsPerSecond: 400, [`${victim}Folder`]: disk.folder });
}

/** It says so in its log, and stays. */
async function notices(plant: Plant, victim: Victim): Promise<void> {
  const process = plant.process(victim);
  const from = process.stderr.length;
  await until(`the ${victim} notices`, async () =>
    /"level":50.*(written|full|write)/i.test(process.stderr.slice(from)),
  );
  assert.ok(process.running, `the ${victim} stays`);
}

for (const victim of ['agent', 'collector'] as const) {
  rigTest(`disk: full under the ${victim}, then freed: it goes on by itself`, always, async () => {
    using disk = new Disk(small);
    await using plant = await plantOn(victim, disk);
    plant.startBoth();
    await plant.untilStored(300);
    disk.fill();
    await notices(plant, victim);
    disk.freeSpace();
    await plant.untilMore(600);
    assert.ok(plant.process(victim).running);
    await plant.finish();
    assertExactlyOnce(plant.expected, plant.sinkRows());
  });

  rigTest(
    `disk: kill -9 of the ${victim} on a full one: it starts, waits or says why not`,
    options,
    async () => {
      using disk = new Disk(small);
      await using plant = await plantOn(victim, disk);
      plant.startBoth();
      await plant.untilStored(300);
      disk.fill();
      await plant.kill(victim);
      const again = plant.start(victim);
      const word = () => /"msg":"started"|disk is full|EW_STORE_\w+: .*(full|space)/s.test(again.stderr);
      await until('it starts, waits or says why it ends', async () => word() || !again.running);
      assert.ok(word(), again.stderr);
      disk.freeSpace();
      const settled = async () => again.stderr.includes('"msg":"started"') || !again.running;
      await until('it goes on by itself or has ended', settled);
      if (!again.running) plant.start(victim);
      await plant.finish();
      assertExactlyOnce(plant.expected, plant.sinkRows());
    },
  );

  rigTest(`disk: fails to read-only under the ${victim}: nothing accepted is lost`, options, async () => {
    using disk = new Disk(small);
    await using plant = await plantOn(victim, disk);
    plant.startBoth();
    await plant.untilStored(300);
    // Not in the middle of its fsync: what a kernel answers then is the kernel's business, not ours.
    plant.process(victim).freeze();
    await sleep(200);
    disk.fail();
    plant.process(victim).resume();
    await notices(plant, victim);
    await plant.kill(victim);
    disk.remount();
    plant.start(victim);
    await plant.finish();
    assertExactlyOnce(plant.expected, plant.sinkRows());
  });

  rigTest(
    `disk: read-only at the start of the ${victim}: told in a sentence, and no harm`,
    options,
    async () => {
      using disk = new Disk(small);
      await using plant = await plantOn(victim, disk);
      plant.startBoth();
      await plant.untilStored(300);
      await plant.kill(victim);
      disk.remount('ro');
      const refused = plant.start(victim);
      await until('it ends', async () => !refused.running);
      assert.notEqual(await refused.exited, 0);
      assert.match(refused.stderr, /EW_\w+: .*read-only/s);
      disk.remount();
      plant.start(victim);
      await plant.finish();
      assertExactlyOnce(plant.expected, plant.sinkRows());
    },
  );
}
