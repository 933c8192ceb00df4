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

test('nor do they in a URL, whatever stands in them; where it leads does count', () => {
  const of = (url: string) => configRevisions({ uplink: { url } }).uplink;
  const same = [
    ['mqtt://u:pa/ss@h:1883', 'mqtt://u:other@h:1883'],
    ['mqtt://u:p@ss w:rd@h', 'mqtt://u:x@h'],
    ['https://h/in?token=a;b?c&bucket=b', 'https://h/in?token=xyz&bucket=b'],
    ['https://u:a?b#c@h/in#key=1', 'https://u:d@h/in#key=2'],
  ] as const;
  for (const [one, other] of same) assert.equal(of(one), of(other), `${one} and ${other}`);
  assert.notEqual(of('mqtt://u:p@h'), of('mqtt://u:p@other'));
  assert.notEqual(of('https://h/a?token=x'), of('https://h/b?token=x'));
  const rule = (expression: string) => configRevisions({ rules: [{ when: expression }] }).rules;
  assert.notEqual(rule('x > 1 && y>=2'), rule('x > 1 && y>=3'), 'no URL');
});
