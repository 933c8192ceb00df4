/** A rule that looks back, from the readings of a device to what an incident and its mail say of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, getJson, until, Workbench } from '../support/processes.js';

interface Incident {
  readonly source: string;
  readonly rows: number;
  readonly channels: readonly {
    readonly field: string;
    readonly of?: string;
    readonly value: number;
    readonly limit?: number;
  }[];
}

test('a mean that stays too high becomes an incident that names it', { timeout: 60_000 }, async () => {
  await using bench = new Workbench();
  const [broker, api, http] = [await freePort(), await freePort(), await freePort()];
  const collector = bench.start([
    'collector',
    '-c',
    bench.config('collector', { dataDir: './collector', broker: { port: broker }, api: { port: api } }),
  ]);
  const agent = bench.start([
    'agent',
    '-c',
    bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      rules: [{ name: 'stays-warm', when: 'mean(temperature, 5s) > 30 for 2s' }],
      sources: [{ type: 'http', port: http }],
    }),
  ]);
  await until('the source listens', async () => (await fetch(`http://127.0.0.1:${http}/ping`)).ok);
  const url = `http://127.0.0.1:${api}`;
  await until('the collector is ready', () => getJson(`${url}/readyz`).then(() => true));
  // Rows that wait for the link go behind those that are fresh, and this is not about their order.
  await until('the agent is linked', async () => agent.stderr.includes('"msg":"connected"'));

  // One request a row, so that each may be a batch of its own: 24 seconds that end now.
  const startMs = Date.now() - 24_000;
  const readings = [...new Array<number>(12).fill(20), ...new Array<number>(12).fill(41)];
  for (const [i, temperature] of readings.entries()) {
    const row = { device: 'oven-1', type: 'oven', time: startMs + i * 1000, values: { temperature } };
    const { status } = await fetch(`http://127.0.0.1:${http}/rows`, {
      method: 'POST',
      body: JSON.stringify(row),
    });
    assert.equal(status, 204);
  }
  // Windows of six rows: the mean is 30.5 at the third hot one; two seconds later the rule holds, for eight rows.
  const incident = await until('all flagged rows are in the incident', async () => {
    const [found] = await getJson<Incident[]>(`${url}/api/incidents`);
    return found?.rows === 8 ? found : undefined;
  });
  assert.equal(incident.source, 'stays-warm');
  const [channel] = incident.channels;
  assert.deepEqual(
    { field: channel?.field, of: channel?.of, limit: channel?.limit },
    { field: 'temperature', of: 'mean(temperature, 5s)', limit: 30 },
  );
  const [mail] = await getJson<{ id: string }[]>(`${url}/api/mails`);
  const { text } = await getJson<{ text: string }>(`${url}/api/mails/${mail?.id}`);
  assert.match(text, /mean\(temperature, 5s\) .*\(limit 30;/);
  assert.equal(await agent.end('SIGTERM'), 0);
  assert.equal(await collector.end('SIGTERM'), 0);
});
