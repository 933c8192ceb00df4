/** A rule that looks back, from the readings of a device to what an incident and its mail say of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHttpPlant } from '../support/http-plant.js';
import { getJson, until, Workbench } from '../support/processes.js';

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
  const { collector, agent, url, post } = await startHttpPlant(bench, {
    agent: { rules: [{ name: 'stays-warm', when: 'mean(temperature, 5s) > 30 for 2s' }] },
  });

  // One request a row, so that each may be a batch of its own: 24 seconds that end now.
  const startMs = Date.now() - 24_000;
  const readings = [...new Array<number>(12).fill(20), ...new Array<number>(12).fill(41)];
  for (const [i, temperature] of readings.entries()) {
    const row = { device: 'oven-1', type: 'oven', time: startMs + i * 1000, values: { temperature } };
    assert.equal(await post(row), 204);
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
  const mail = await until(
    'it is mailed',
    async () => (await getJson<{ id: string }[]>(`${url}/api/mails`))[0],
  );
  const { text } = await getJson<{ text: string }>(`${url}/api/mails/${mail.id}`);
  assert.match(text, /mean\(temperature, 5s\) .*\(limit 30;/);
  assert.equal(await agent.end('SIGTERM'), 0);
  assert.equal(await collector.end('SIGTERM'), 0);
});
