/** The same with the kernel's own network: packets that are lost, a cable that is pulled, a narrow line. */
import { setTimeout as sleep } from 'node:timers/promises';
import { lacks } from './host.js';
import { NetworkNamespace } from './namespace.js';
import { assertExactlyOnce } from './oracle.js';
import { Plant } from './plant.js';
import { minutes, rigTest } from './scale.js';

interface Trouble {
  readonly name: string;
  readonly begin: (network: NetworkNamespace) => void;
  readonly end: (network: NetworkNamespace) => void;
}

const troubles: readonly Trouble[] = [
  { name: '30 % of all packets lost', begin: n => n.lose(30), end: n => n.loseNothing() },
  { name: 'a partition', begin: n => n.lose(100), end: n => n.loseNothing() },
  { name: 'a line of 20 kB a second', begin: n => n.limit(160), end: n => n.unlimited() },
  { name: 'a pulled cable', begin: n => n.link('down'), end: n => n.link('up') },
];

for (const { name, begin, end } of troubles)
  rigTest(
    `network namespace: ${name}`,
    {
      skip: lacks('ip', 'nft', 'tc'),
      timeout: minutes(10),
    },
    async () => {
      using network = new NetworkNamespace();
      await using plant = await Plant.create({
        rowsPerDevice: 60_000,
        rowsPerSecond: 400,
        brokerHost: network.host,
        uplink: { keepAliveS: 2 },
        wrap: { agent: network.wrap },
      });
      plant.startBoth();
      await plant.untilStored(600);
      begin(network);
      await sleep(30_000); // what is tested is that time
      end(network);
      await plant.untilMore(600);
      await plant.finish(minutes(4));
      assertExactlyOnce(plant.expected, plant.sinkRows());
    },
  );
