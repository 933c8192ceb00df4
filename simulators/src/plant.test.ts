import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceTypes, Plant } from './plant.js';
import { configOf, mean, monday, record } from './testing/runs.js';

test('the same config gives the same rows; another seed gives others', () => {
  const config = configOf(deviceTypes, { faults: [{ kind: 'spikes', atS: 20, durationS: 60 }] });
  assert.deepEqual(record(config, 120), record(config, 120));
  assert.notDeepEqual(record(config, 120), record({ ...config, seed: 4 }, 120));
});

test('no two devices of a type are twins, with one seed or two', () => {
  const tracks = record(configOf(['pump', 'pump']), 600);
  const [first, second] = Object.values(tracks).map(track => mean(track.fields.motorCurrent!));
  assert.ok(Math.abs(first! - second!) > 0.02, `${first} and ${second}`);
});

test('a further device changes nothing for those before it', () => {
  const few = configOf(['pump', 'cold-room']);
  const many = configOf(['pump', 'cold-room', 'pump', 'cold-room']);
  const [before, after] = [record(few, 300), record(many, 300)];
  for (const { name } of few.devices) assert.deepEqual(after[name], before[name], name);
});

test('a power feed draws the same load whatever it feeds', () => {
  const alone = record({ ...configOf(['power-feed']) }, 300);
  const busy = record({ ...configOf(['power-feed', 'pump', 'cold-room']) }, 300);
  assert.deepEqual(busy['power-feed-1'], alone['power-feed-1']);
});

test('schemas name every type once, devices in the order of the config', () => {
  const plant = new Plant(configOf(['pump', 'cold-room', 'pump']));
  assert.deepEqual(
    plant.schemas.map(({ type, devices }) => [type, devices]),
    [
      ['pump', ['pump-1', 'pump-3']],
      ['cold-room', ['cold-room-2']],
    ],
  );
  for (const { values, schema } of plant.step().rows)
    assert.equal(values.length, plant.schemas[schema]!.fields.length);
});

test('the first row lies at the start, each later one a step on', () => {
  const plant = new Plant(configOf(['pump'], { stepMs: 2500 }));
  const times = [plant.step(), plant.step(), plant.step()].map(({ timeMs }) => timeMs - monday);
  assert.deepEqual(times, [0, 2500, 5000]);
});

test('the physics does not depend on how often somebody looks', () => {
  const faults = [{ kind: 'leak' as const, device: 'pump-1', atS: 600, durationS: 600 }];
  const coarse = record(configOf(['pump', 'cold-room'], { stepMs: 60_000, faults }), 3600);
  for (const stepMs of [250, 1000, 7000]) {
    const fine = record(configOf(['pump', 'cold-room'], { stepMs, faults }), 3600);
    // Fields with noise far below their span; six standard deviations of two readings.
    for (const [device, field, tolerance] of [
      ['pump-1', 'flow', 2],
      ['pump-1', 'bearingTemperature', 1.3],
      ['pump-1', 'tankLevel', 0.035],
      ['cold-room-2', 'roomTemperature', 0.35],
    ] as const) {
      const [a, b] = [coarse[device]!, fine[device]!];
      for (const [i, timeS] of a.timeS.entries()) {
        const j = b.timeS.indexOf(timeS);
        if (j < 0) continue;
        const gap = Math.abs(a.fields[field]![i]! - b.fields[field]![j]!);
        assert.ok(gap <= tolerance, `${field} at ${timeS} s, step ${stepMs} ms: off by ${gap}`);
      }
    }
  }
});

test('a day is warmer and busier than its night', () => {
  const tracks = record(configOf(deviceTypes, { startMs: Date.UTC(2026, 0, 5), stepMs: 60_000 }), 86_400);
  const over = (device: string, field: string, from: number, to: number) =>
    mean(tracks[device]!.fields[field]!.slice(from * 60, to * 60));
  for (const [device, field] of [
    ['pump-1', 'flow'],
    ['cold-room-2', 'dockTemperature'],
    ['power-feed-3', 'activePower'],
  ] as const)
    assert.ok(over(device, field, 11, 16) > 1.15 * over(device, field, 1, 5), field);
});
