import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKindNames } from './faults.js';
import { deviceTypes, faultKinds, Plant } from './plant.js';
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.js';
import { configOf } from './testing/runs.js';

const config = configOf([...deviceTypes, 'pump', 'cold-room']);

for (const name of scenarioNames)
  test(`${name} makes faults a plant accepts, the same for the same seed, in the order of time`, () => {
    for (const durationS of [30, 3600, 86_400]) {
      const faults = scenarios[name](config.devices, 5, durationS);
      assert.deepEqual(scenarios[name](config.devices, 5, durationS), faults);
      assert.doesNotThrow(() => new Plant({ ...config, faults }));
      assert.equal(faults.length > 0, name !== 'normal', `${durationS} s`);
      for (const [i, { atS }] of faults.entries()) {
        assert.ok(atS >= 6 && atS < durationS);
        if (i > 0) assert.ok(atS >= faults[i - 1]!.atS);
      }
    }
  });

test('there is a scenario for every fault, and it has no other', () => {
  for (const kind of faultKindNames) {
    const faults = scenarios[kind](config.devices, 1, 7200);
    assert.ok(faults.every(fault => fault.kind === kind));
    const failing = new Set(faults.map(({ device }) => device));
    const expected =
      kind === 'power-sag' || kind === 'gateway-offline'
        ? [undefined]
        : config.devices
            .filter(({ type }) => (faultKinds[kind].fits as readonly string[]).includes(type))
            .map(({ name }) => name);
    assert.deepEqual([...failing].sort(), expected.sort(), kind);
  }
});

test('mixed leaves each device whole stretches of health between its faults, and differs by seed', () => {
  const faults = scenarios.mixed(config.devices, 5, 86_400);
  assert.ok(new Set(faults.map(({ kind }) => kind)).size > 5);
  for (const { name } of config.devices) {
    const own = faults.filter(({ device }) => device === name);
    assert.ok(own.length > 5, `${name}: ${own.length}`);
    for (const [i, { atS }] of own.entries()) {
      const before = own[i - 1];
      if (before) assert.ok(atS > before.atS + 2 * before.durationS, `${name} at ${atS}`);
    }
  }
  assert.notDeepEqual(scenarios.mixed(config.devices, 6, 86_400), faults);
});

test('everything has every kind a device can have, distractors too; mixed keeps to its list', () => {
  const kindsOf = (name: ScenarioName) =>
    new Set([1, 2, 3].flatMap(seed => scenarios[name](config.devices, seed, 30 * 86_400).map(f => f.kind)));
  const wanted = faultKindNames.filter(kind => faultKinds[kind].acts !== 'site');
  assert.deepEqual([...kindsOf('everything')].sort(), wanted.sort());
  const first =
    'bearing-wear blocked-valve door-open drift leak power-sag refrigerant-leak spikes stuck-sensor';
  assert.deepEqual([...kindsOf('mixed')].sort(), first.split(' '));
});

test('another device does not move the faults of those before it', () => {
  const of = (count: number, name: ScenarioName) =>
    scenarios[name](config.devices.slice(0, count), 5, 7200).filter(({ device }) => device === 'pump-1');
  for (const name of ['mixed', 'leak', 'drift'] as const) assert.deepEqual(of(5, name), of(1, name), name);
});
