/** A whole collector in this process, whose configuration changes. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { loadConfig } from '@edgeward/shared/config';
import { silentLogger } from '@edgeward/shared/log';
import type { ErrorBody } from './api/errors.js';
import { type CollectorConfig, collectorConfig } from './config.js';
import { folderFor } from './journal/testing/blocks.js';
import { runCollector } from './main.js';
import { differences } from './reload.js';
import type { EventView, ReloadView, SinkView } from './views.js';

const limit = { timeout: 30_000 };

test('what differs is named as in the file', () => {
  const before = collectorConfig.parse({ alerts: {}, score: { rules: [] } });
  const after = collectorConfig.parse({
    name: 'other',
    api: { port: 9090, password: { env: 'P' } },
    sinks: [{ type: 'file', directory: './out' }],
    receiptAfter: ['file'],
    score: { rules: [{ name: 'hot', when: 'temperature > 40' }] },
  });
  assert.deepEqual(differences(before, before), []);
  assert.deepEqual(differences(before, after), ['name', 'api.port', 'api.password', 'score.rules']);
});

test('SIGHUP and the API read the file again; an error in it leaves all as it was', limit, async t => {
  const folder = await folderFor(t);
  const file = (name: string) => ({ type: 'file', name, directory: path.join(folder, name) });
  const configOf = (more: object): CollectorConfig =>
    collectorConfig.parse({ dataDir: folder, api: { port: 0 }, broker: { port: 0 }, ...more });
  const [stop, deadline] = [new AbortController(), new AbortController()];
  let next = (): CollectorConfig | Promise<CollectorConfig> => configOf({ sinks: [file('a')] });
  let hangUp = () => {};
  let running = Promise.resolve();
  const config = await next();
  const { api } = await new Promise<{ api: number }>((resolve, reject) => {
    running = runCollector(
      {
        config,
        load: async () => next(),
        onReload: reload => {
          hangUp = reload;
        },
        log: silentLogger,
        onListening: resolve,
      },
      stop.signal,
      deadline.signal,
    );
    running.catch(reject);
  });
  const ask = async <Answer>(what: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${api}${what}`, { method });
    return { status: answer.status, body: (await answer.json()) as Answer };
  };
  const names = async () => (await ask<SinkView[]>('/api/sinks')).body.map(({ name }) => name);
  try {
    next = () =>
      configOf({
        sinks: [file('a'), file('b')],
        receiptAfter: ['b'],
        broker: { port: 4711 },
        topology: { infer: false },
      });
    const { body } = await ask<ReloadView>('/api/sinks/reload', 'POST');
    assert.deepEqual(body, {
      added: ['b'],
      removed: [],
      replaced: [],
      receiptAfter: true,
      topology: true,
      needsRestart: ['broker.port'],
      notes: [],
    });
    const sinks = (await ask<SinkView[]>('/api/sinks')).body;
    assert.deepEqual(
      sinks.map(({ name, inReceiptAfter }) => [name, inReceiptAfter]),
      [
        ['a', false],
        ['b', true],
      ],
    );
    const broken = path.join(folder, 'broken.yaml');
    await writeFile(
      broken,
      'sinks:\n  - type: file\n    name: a\n    directory: ./a\n    startAt: tomorrow\n',
    );
    next = () => loadConfig(broken, collectorConfig);
    const { status, body: answer } = await ask<ErrorBody>('/api/sinks/reload', 'POST');
    assert.deepEqual([status, answer.error.code], [422, 'EW_CONFIG_INVALID']);
    const { message } = answer.error;
    assert.match(message, /broken\.yaml:5:\d+: sinks\[0\]\.startAt: .*\(value: "tomorrow"\)\. Remedy: \S/);
    next = () => loadConfig(path.join(folder, 'none.yaml'), collectorConfig);
    const missing = await ask<ErrorBody>('/api/sinks/reload', 'POST');
    assert.deepEqual([missing.status, missing.body.error.code], [422, 'EW_CONFIG_FILE']);
    next = () => loadConfig(broken, collectorConfig);
    hangUp();
    const events = async () => (await ask<EventView[]>('/api/events')).body.map(({ text }) => text).join();
    while (!/was not read again/.test(await events())) await systemClock.sleep(10, stop.signal);
    assert.deepEqual(await names(), ['a', 'b']);
    next = () => configOf({ sinks: [file('b')] });
    hangUp();
    while ((await names()).length > 1) await systemClock.sleep(10, stop.signal);
    assert.deepEqual(await names(), ['b']);
    const paused = (await ask<{ note: string }>('/api/sinks/b/pause', 'POST')).body;
    assert.match(paused.note, /waits in the journal/);
  } finally {
    stop.abort();
    await running;
  }
});
