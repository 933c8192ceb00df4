/** From hot rows to a text by a language model, through real processes; the server is one of ours. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { completion, LlmServer, sendJson } from '@edgeward/collector/testing/llm-server';
import { startHttpPlant } from '../support/http-plant.js';
import { getJson, until, Workbench } from '../support/processes.js';

const catalogue = `causes:
  - id: heater-stays-on
    cause: Heater stays on
    component: contactor of the heater
    severity: warning
    symptoms:
      - { channel: temperature, is: high, often: 0.95 }
    prior: 50
    actions: [Look at the contactor.]
`;

interface Incident {
  readonly wording?: { text: string; model: string };
}

test('what a language model makes of a diagnosis is on the page; the first mail is without', {
  timeout: 60_000,
}, async t => {
  const llm = await LlmServer.start(t, (_, response) => {
    const reasoning = [
      { text: 'C1 is high, which fits K1.', evidence: ['E1'] },
      { text: 'C1 is high, so replace the heater.', evidence: ['E1'] },
    ];
    sendJson(response, completion({ summary: 'K1 is the likely cause of it.', reasoning }));
  });
  await using bench = new Workbench();
  writeFileSync(path.join(bench.folder, 'oven.yaml'), catalogue);
  writeFileSync(path.join(bench.folder, 'key'), 'sk-do-not-tell\n');
  const { collector, agent, url, post } = await startHttpPlant(bench, {
    collector: {
      diagnosis: { catalogues: ['./oven.yaml'] },
      llm: { provider: 'openai', url: `${llm.url}/v1`, model: 'tiny-1', key: { file: './key' } },
    },
    agent: { rules: [{ name: 'hot', when: 'temperature > 30' }] },
  });

  // A minute and a half before it, since the last minute before a fault is no measure; then a step.
  const startMs = Date.now() - 170_000;
  const rows = Array.from({ length: 170 }, (_, i) => ({
    device: 'oven-1',
    type: 'oven',
    time: startMs + i * 1000,
    values: { temperature: i < 150 ? 20 + (i % 7) / 10 : 41 + (i % 7) / 10 },
  }));
  for (const part of [rows.slice(0, 150), rows.slice(150)]) {
    assert.equal(await post(part), 204);
  }
  const wording = await until('it is worded', async () => {
    const [found] = await getJson<Incident[]>(`${url}/api/incidents`);
    return found?.wording;
  });
  assert.deepEqual(wording, {
    text: '“Heater stays on” is the likely cause of it.\n\ntemperature is high, which fits “Heater stays on” (E1).',
    model: 'tiny-1',
  });
  const mail = await until(
    'it is mailed',
    async () => (await getJson<{ id: string }[]>(`${url}/api/mails`))[0],
  );
  const { text } = await getJson<{ text: string }>(`${url}/api/mails/${mail.id}`);
  assert.match(text, /Heater stays on/, 'the template names the cause by itself');
  assert.doesNotMatch(text, /tiny-1/);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(metrics, /^collector_llm_questions_total\{outcome="worded"\} 1$/m);
  assert.match(metrics, /^collector_llm_dropped_sentences_total 1$/m);
  const [received] = llm.received;
  assert.equal(received?.headers.authorization, 'Bearer sk-do-not-tell');
  assert.doesNotMatch(received.text, /oven|gateway-1|temperature/);
  assert.doesNotMatch(collector.stderr, /sk-do-not-tell/);
  assert.equal(await agent.end('SIGTERM'), 0);
  assert.equal(await collector.end('SIGTERM'), 0);
});
