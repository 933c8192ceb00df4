import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@edgeward/shared/errors';
import { Plant, type PlantConfig } from './plant.js';
import { scenarioOf, scenarios } from './scenarios.js';
import { configOf } from './testing/runs.js';

/** A config as it may come from a file, whatever the types say. */
function refused(change: Record<string, unknown>, names: RegExp): void {
  const config = { ...configOf(['pump', 'cold-room']), ...change } as unknown as PlantConfig;
  assert.throws(
    () => new Plant(config),
    (error: unknown) => hasCode(error, 'EW_CONFIG_INVALID') && names.test(error.message),
    JSON.stringify(change),
  );
}

test('impossible plants are refused, naming field, value and remedy', () => {
  refused({ seed: 1.5 }, /seed is 1\.5: give a whole number/);
  refused({ seed: '7' }, /seed is "7"/);
  refused({ startMs: Number.NaN }, /startMs is NaN/);
  refused({ startMs: -1 }, /startMs is -1/);
  refused({ stepMs: 0 }, /stepMs is 0: give a whole number from 1/);
  refused({ stepMs: Number.POSITIVE_INFINITY }, /stepMs is Infinity/);
  refused({ devices: [] }, /devices is a list: name at least one/);
  refused({ devices: undefined }, /devices is undefined/);
  refused({ devices: [null] }, /devices\[0\] is null/);
  refused({ devices: [{ name: '../x', type: 'pump' }] }, /devices\[0\]\.name is "\.\.\/x"/);
  refused({ devices: [{ name: 'a', type: 'toaster' }] }, /devices\[0\]\.type is "toaster": use one of pump/);
  refused({ devices: [{ name: 'a', type: 'constructor' }] }, /devices\[0\]\.type/);
  const twin = { name: 'a', type: 'pump' };
  refused({ devices: [twin, twin] }, /devices\[1\]\.name is "a": give every device its own name/);
  refused({ faults: 'leak' }, /faults is "leak"/);
});

test('impossible faults are refused, naming field, value and remedy', () => {
  const leak = { kind: 'leak', device: 'pump-1', atS: 0, durationS: 10 };
  const bad = (change: Record<string, unknown>, names: RegExp) =>
    refused({ faults: [leak, { ...leak, ...change }] }, names);
  bad({ kind: 'toString' }, /faults\[1\]\.kind is "toString": use one of bearing-wear/);
  bad({ device: 'pump-9' }, /faults\[1\]\.device is "pump-9": use one of pump-1, cold-room-2/);
  bad({ device: 'cold-room-2' }, /leak needs a device of type pump/);
  bad({ atS: -1 }, /faults\[1\]\.atS is -1/);
  bad({ durationS: 0 }, /faults\[1\]\.durationS is 0/);
  bad({ durationS: '10' }, /faults\[1\]\.durationS is "10"/);
  bad({ severity: 1.01 }, /faults\[1\]\.severity is 1\.01/);
  bad({ rampS: Number.NaN }, /faults\[1\]\.rampS is NaN/);
  bad({ field: 'flow' }, /only sensor faults take a field/);
  bad({ kind: 'drift', field: 'doorOpen' }, /faults\[1\]\.field is "doorOpen": a pump has motorCurrent/);
  bad({ kind: 'drift', device: 'cold-room-2', field: 'doorOpen' }, /a cold-room has roomTemperature/);
  bad({ kind: 'gateway-offline' }, /concerns the whole gateway/);
  refused({ faults: [null] }, /faults\[0\] is null/);
});

test('a fault that nothing here can have is refused, and a refused injection changes nothing', () => {
  const config = configOf(['cold-room']);
  const plant = new Plant(config);
  assert.throws(() => plant.inject({ kind: 'leak', durationS: 10 }), /it needs a device of type pump/);
  assert.throws(
    () => plant.inject({ kind: 'drift', field: 'flow', durationS: 10 }),
    /fault\.field is "flow"/,
  );
  assert.deepEqual(plant.step(), new Plant(config).step());
});

test('scenarios refuse unknown names, devices that cannot fail so, and runs of no length', () => {
  const pumps = configOf(['pump']).devices;
  assert.throws(() => scenarioOf('hasOwnProperty'), /scenario is "hasOwnProperty": use one of normal/);
  assert.throws(() => scenarios['door-open'](pumps, 1, 3600), /it needs a device of type cold-room/);
  assert.throws(() => scenarios.mixed(pumps, 1, Number.NaN), /durationS is NaN/);
});
