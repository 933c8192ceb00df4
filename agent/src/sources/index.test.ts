import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowNumbers } from '@edgeward/shared/batch';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { createSource, sourceConfig, sources } from './index.js';

const recording = { type: 'replay', path: 'x.csv', device: 'machine-1', deviceType: 'machine' };
const broker = {
  type: 'mqtt',
  url: 'mqtt://broker',
  subscriptions: [{ topic: 'plant/{device}', deviceType: 'pump' }],
};
const plant = { type: 'simulated', devices: [{ name: 'pump-1', type: 'pump' }] };

test('the options are those of the type, with their defaults', () => {
  const config = sourceConfig.parse(recording);
  assert.ok(config.type === 'replay');
  assert.equal(config.timeColumn, 'timestamp');
  assert.equal(config.name, 'replay');
  assert.equal(sourceConfig.parse({ ...plant, name: 'north' }).name, 'north');
});

test('unknown types, options of other types and bad names are refused', () => {
  const wrong = [
    { ...recording, type: 'telepathy' },
    { ...recording, type: undefined },
    { ...recording, devices: plant.devices },
    { ...plant, path: 'x.csv' },
    { ...plant, name: 'a/b' },
  ];
  for (const config of wrong) assert.ok(!sourceConfig.safeParse(config).success, JSON.stringify(config));
});

test('every type can be created, without touching anything', () => {
  const context = {
    clock: new FakeClock(),
    rows: new RowNumbers(),
    log: silentLogger,
    position: undefined,
    reject: () => {},
  };
  const made = [recording, plant, { type: 'http' }, broker].map(config =>
    createSource(sourceConfig.parse(config), context),
  );
  assert.deepEqual(
    made.map(({ acknowledges }) => acknowledges),
    [true, false, true, true],
  );
  assert.equal(made.length, sources.length);
});
