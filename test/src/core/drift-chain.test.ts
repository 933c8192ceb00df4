/** From rows that have moved away from those of the training, by a real agent and a real collector, to an incident. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makeBundle } from '@edgeward/agent/models/testing/real-bundle';
import { collectorConfig } from '@edgeward/collector/config';
import { runCollector } from '@edgeward/collector/main';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { machineBatch } from '@edgeward/models/testing/machine';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { MachineAgent } from '../support/machine-agent.js';
import { freePort, getJson, until } from '../support/processes.js';

interface Incident {
  readonly id: string;
  readonly state: string;
  readonly device: string;
  readonly detector: string;
  readonly severity: string;
  readonly channels: readonly { readonly field: string }[];
}

const [stepMs, hours] = [20_000, 26];

/** Of a machine that draws more current than it did in training: it scores higher, though not enough for an alarm. */
function moved(): RecordBatch {
  const fault = { field: 'current', from: 0, offset: 0.4 } as const;
  const batch = machineBatch({ rows: (hours * 3_600_000) / stepMs, devices: 1, seed: 9, fault });
  return { ...batch, time: batch.time.map((_, r) => batch.time[0]! + r * stepMs) };
}

test('a machine that drifts, counted over a restart of its agent, has an incident until another revision is in use', {
  timeout: 90_000,
}, async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-drift-'));
  const [one, two] = [await makeBundle(folder, 1), await makeBundle(folder, 2)];
  const [api, port] = [await freePort(), await freePort()];
  const config = collectorConfig.parse({
    dataDir: path.join(folder, 'collector'),
    api: { port: api },
    broker: { port },
  });
  const stop = new AbortController();
  const collecting = runCollector({ config, log: silentLogger }, stop.signal, AbortSignal.any([]));
  t.after(async () => {
    stop.abort();
    await collecting;
    await rm(folder, { recursive: true, force: true });
  });
  const drifts = async () => {
    const incidents = await getJson<Incident[]>(`http://127.0.0.1:${api}/api/incidents`);
    return incidents.filter(({ detector }) => detector === 'drift');
  };
  const see = (state: string) =>
    until(`an incident of drift that is ${state}`, async () =>
      (await drifts()).find(incident => incident.state === state),
    );
  const parts = { port, dataDir: path.join(folder, 'agent'), everyMs: 1, rowsABatch: 500 };
  const all = moved();
  const middle = all.time.length / 2;
  const arrived = async () => {
    const { devices } = await getJson<{ devices: { stored: number }[] }>(
      `http://127.0.0.1:${api}/api/ledger`,
    );
    return devices[0]?.stored;
  };
  {
    const rows = sliceBatch(all, 0, middle);
    await using _first = new MachineAgent({ ...parts, models: [one.folder], rows });
    await until('half of the rows', async () => (await arrived()) === middle);
  }
  assert.deepEqual(await drifts(), [], 'half a day is no drift');
  {
    const rows = sliceBatch(all, middle, all.time.length);
    await using _again = new MachineAgent({ ...parts, models: [one.folder], rows });
    const incident = await see('open');
    assert.deepEqual([incident.device, incident.severity], ['machine-1', 'warning']);
    assert.ok(incident.channels.some(({ field }) => field === 'score'));
  }
  await using _other = new MachineAgent({ ...parts, models: [two.folder], rows: machineBatch({ rows: 1 }) });
  const closed = await see('closed');
  assert.equal((await drifts()).length, 1);
  assert.equal(closed.device, 'machine-1');
});
