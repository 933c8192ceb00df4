/**
 * Faults in the running pipeline: each is found, and the hop that is broken named first. In the short run every limit is
 * a fraction of its default, with EDGEWARD_FAULTS=full they are the defaults, and 30 s is what they have.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KafkaGroup } from '@edgeward/collector/testing/kafka-group';
import { readingsOf, startBroker } from '../support/kafka.js';
import { noMosquitto } from '../support/mosquitto.js';
import { until } from '../support/processes.js';
import { noService } from '../support/services.js';
import { noFaketime } from './clock-machine.js';
import { HealthRounds } from './health-rounds.js';
import { lacks } from './host.js';
import { full, minutes, rigTest } from './scale.js';
import { SlowDisk } from './slow-disk.js';
import { WatchedPlant } from './watched-plant.js';

const short = {
  everyMs: 300,
  silentMs: 2500,
  closeAfterMs: 600,
  graceMs: 1500,
  sinkFailingMs: 800,
  lagMs: 2000,
};
const health = full ? {} : short;
const everyMs = full ? 5000 : short.everyMs;

test('faults in the running pipeline are found, each with its hop', {
  timeout: minutes(10),
  skip: noMosquitto() || noFaketime(),
}, async t => {
  await using plant = await WatchedPlant.start(health);
  const rounds = new HealthRounds(plant);
  await rounds.known(everyMs);

  await rounds.together(
    [
      {
        fault: 'partition',
        inject: () => plant.network.set({ lost: true }),
        source: /^gateway-silent gateway-1$/,
        hop: /^network to gateway gateway-1$/,
      },
      {
        fault: 'dead sink',
        inject: () => {
          plant.server.mood = 'dead';
        },
        source: /^sink-failing _sink-series$/,
        hop: /^sink series$/,
      },
      {
        fault: 'clock jump',
        inject: () => plant.setClock(90),
        source: /^gateway-clock gateway-2$/,
        hop: /^clock of gateway gateway-2$/,
      },
    ],
    () => {
      plant.network.set({});
      plant.server.recover();
      plant.setClock(0);
    },
  );

  let pushing = true;
  await rounds.together(
    [
      {
        fault: 'killed gateway',
        inject: () => plant.killAgent(2),
        source: /^gateway-silent gateway-3$/,
        hop: /^gateway gateway-3$/,
      },
      {
        fault: 'burst',
        inject: async () => {
          while (pushing) await plant.push();
        },
        source: /^gateway-burst gateway-2$/,
        hop: /^sources of gateway-2$/,
      },
      {
        fault: 'slow consumer',
        inject: () => {
          plant.server.mood = 'hangs';
        },
        source: /^sink-(slow|failing) _sink-series$/,
        hop: /^sink series$/,
      },
    ],
    () => {
      pushing = false;
      plant.server.recover();
      plant.startAgent(2);
    },
  );

  await rounds.together(
    [
      {
        fault: 'broker pause',
        inject: () => plant.broker.freeze(),
        source: /^(gateway-silent gateways|broker-down) _collector$/,
        hop: /^MQTT broker$/,
      },
    ],
    () => plant.broker.resume(),
  );

  const told = (await plant.incidents()).length;
  assert.equal(await plant.stopAgent(2), 0);
  await until('the stop is seen', async () => (await plant.health('gateway-3')).online === 0);
  const later = (await plant.health('gateway-3')).silent ?? 0;
  await until(
    'it has been silent for long',
    async () => {
      return ((await plant.health('gateway-3')).silent ?? 0) > later + (full ? 30 : 4);
    },
    minutes(1),
  );
  assert.equal((await plant.incidents()).length, told, 'a stop is no silence');

  // Last: a jump is told for a minute.
  await rounds.together([
    {
      fault: 'clock jump of the collector',
      inject: () => plant.setCollectorClock(40),
      source: /^collector-clock _collector$/,
      hop: /^clock of /,
    },
  ]);
  for (const line of rounds.found) t.diagnostic(line);
});

rigTest(
  'faults of disks and slow consumers in the running pipeline are found, each with its hop',
  {
    timeout: minutes(15),
    skip: noMosquitto() || noFaketime() || noService('kafka') || lacks('strace'),
  },
  async t => {
    await using kafka = await startBroker();
    await using plant = await WatchedPlant.start(health, kafka.direct);
    const rounds = new HealthRounds(plant);
    await rounds.known(everyMs);
    const topic = readingsOf(plant.kafkaSink);
    await using dashboards = await KafkaGroup.join(kafka.direct, topic, 'dashboards');
    await using lake = await KafkaGroup.join(kafka.direct, topic, 'lake');
    await until(
      'both groups take what comes',
      async () => dashboards.taken > 20 && lake.taken > 20,
      minutes(1),
    );

    await rounds.together(
      [
        {
          fault: 'consumer group stopped',
          inject: () => {
            dashboards.paceMs = Number.POSITIVE_INFINITY;
          },
          source: /^consumer-slow dashboards _sink-stream$/,
          hop: /^consumer group dashboards$/,
        },
        {
          fault: 'consumer group at a third of the pace',
          inject: () => {
            lake.paceMs = 500;
          },
          source: /^consumer-slow lake _sink-stream$/,
          hop: /^consumer group lake$/,
        },
        {
          fault: 'consumer at a third of the pace',
          inject: () => {
            plant.server.msPerRow = 500;
          },
          source: /^sink-slow _sink-series$/,
          hop: /^sink series$/,
        },
      ],
      () => {
        dashboards.paceMs = 0;
        lake.paceMs = 0;
        plant.server.recover();
      },
    );

    let disk: SlowDisk | undefined;
    await rounds.together(
      [
        {
          fault: 'slow disk of the collector, 1.5 s a sync',
          inject: async () => {
            disk = await SlowDisk.of(plant.collectorPid, 1500);
          },
          source: /^collector-disk-slow _collector$/,
          hop: /^journal disk of /,
        },
      ],
      () => disk?.heal(),
    );
    for (const line of rounds.found) t.diagnostic(line);
  },
);
