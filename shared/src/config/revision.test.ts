import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configRevisions } from './revision.js';

const config = {
  gateway: 'pi',
  sources: [{ name: 'plc', scale: 0.1, fields: { flow: 'm3/h', level: 'm' } }],
  uplink: { url: 'mqtts://pi:hunter2@plant.example', password: { file: './pw' }, qos: 1 },
  site: undefined,
};

test('a section that changed is told from the others; the order of settings does not count', () => {
  const before = configRevisions(config);
  assert.deepEqual(Object.keys(before), ['gateway', 'sources', 'uplink']);
  const [source] = config.sources;
  const sorted = { ...source!, fields: { level: 'm', flow: 'm3/h' } };
  assert.deepEqual(configRevisions({ ...config, sources: [sorted] }), before);
  const scaled = configRevisions({ ...config, sources: [{ ...source!, scale: 1 }] });
  assert.notEqual(scaled.sources, before.sources);
  assert.deepEqual({ ...scaled, sources: before.sources }, before);
});

test('secrets do not count, wherever they stand, so that nothing can be learned of them', () => {
  const other = {
    ...config,
    apiKey: 'x',
    uplink: { url: 'mqtts://pi:other@plant.example', password: { env: 'PW' }, qos: 1 },
  };
  assert.deepEqual(configRevisions(other), configRevisions(config));
});
