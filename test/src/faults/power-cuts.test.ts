/** Power cuts of agent and collector: each has a disk of its own, which forgets what was not synced. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng } from '@edgeward/shared/rng';
import { Disk } from './disk.js';
import { lacks } from './host.js';
import { assertExactlyOnce } from './oracle.js';
import { Plant, targets } from './plant.js';
import { amount, full, minutes, rigTest } from './scale.js';
import { underSeeds } from './seeds.js';

const cutsInStory = full ? 6 : 2;

for (const [whom, victims] of targets)
  rigTest(
    `power cut of ${whom}`,
    {
      inShort: victims.length === 1,
      skip: lacks('root', 'loop'),
      timeout: minutes(30),
    },
    async () => {
      await underSeeds(`power cuts of ${whom}`, amount(1, 3), async seed => {
        const rng = seededRng(seed);
        using agentDisk = new Disk();
        using collectorDisk = new Disk();
        const disks = { agent: agentDisk, collector: collectorDisk };
        await using plant = await Plant.create({
          rowsPerDevice: 6000,
          rowsPerSecond: 400,
          agentFolder: agentDisk.folder,
          collectorFolder: collectorDisk.folder,
        });
        plant.startBoth();
        for (let cut = 0; cut < cutsInStory; cut++) {
          await plant.untilMore(Math.ceil(rng() * 600));
          await sleep(rng() * 700);
          await Promise.all(victims.map(victim => plant.kill(victim)));
          for (const victim of victims) disks[victim].cutPower();
          for (const victim of victims) plant.start(victim);
        }
        await plant.finish();
        assertExactlyOnce(plant.expected, plant.sinkRows());
      });
    },
  );
