/**
 * Faults in the running pipeline: each is found, and the hop that is broken named first. In the short run every limit is
 * a fraction of its default, with EDGEWARD_FAULTS=full they are the defaults, and 30 s is what they have.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noMosquitto } from '../support/mosquitto.js';
import { until } from '../support/processes.js';
import { noFaketime } from './clock-machine.js';
import { full, minutes } from './scale.js';
import { type PipelineIncident, WatchedPlant } from './watched-plant.js';

const short = {
  everyMs: 300,
  silentMs: 2500,
  closeAfterMs: 600,
  graceMs: 1500,
  sinkFailingMs: 800,
  lagMs: 2000,
};
const health = full ? {} : short;
const withinMs = 30_000;

interface Wanted {
  readonly fault: string;
  readonly inject: () => unknown;
  readonly source: RegExp;
  readonly hop: RegExp;
}

test('faults in the running pipeline are found, each with its hop', {
  timeout: minutes(10),
  skip: noMosquitto() || noFaketime(),
}, async t => {
  await using plant = await WatchedPlant.start(health);
  const found: string[] = [];

  /** Breaks all of them at once, waits until each is found, and heals. */
  const together = async (faults: readonly Wanted[], heal: () => unknown) => {
    const begun = Date.now();
    const running = faults.map(({ inject }) => inject());
    for (const { fault, source, hop } of faults) {
      const incident = await until(
        fault,
        async () => (await plant.incidents('open')).find(one => source.test(placeOf(one))),
        withinMs + 5000,
      );
      const seconds = (incident.lastMs - begun) / 1000; // it may have reopened
      const first = incident.diagnosis?.causes[0]?.component ?? 'none';
      found.push(`${fault}: ${seconds.toFixed(1)} s, ${first}, “${incident.title}”`);
      assert.match(first, hop, fault);
      assert.ok(seconds * 1000 <= withinMs, found.at(-1));
    }
    await heal();
    await Promise.all(running);
    await until(
      'all is over',
      async () => {
        const open = await plant.incidents('open');
        if (open.length > 0) throw new Error(open.map(({ title }) => title).join('; '));
        return true;
      },
      full ? minutes(3) : 40_000,
    );
  };

  // Long enough to know what is usual.
  const looks = full ? 14 * 5000 : 14 * short.everyMs;
  await until(
    'rows have come from all',
    async () => {
      const rows = await Promise.all([1, 2, 3].map(i => plant.health(`gateway-${i}`)));
      return rows.every(({ rows_a_minute }) => (rows_a_minute ?? 0) >= Math.min(looks / 500, 60));
    },
    minutes(3),
  );
  assert.deepEqual(await plant.incidents(), [], 'nothing is wrong before');

  await together(
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
  await together(
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

  await together(
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
  for (const line of found) t.diagnostic(line);
});

function placeOf({ source, device }: PipelineIncident): string {
  return `${source} ${device}`;
}
