import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plant } from '../plant.js';
import { cast, injectionOf, pace } from './cast.js';

test('every fault that the demo offers for a device is one its plant takes', () => {
  for (const { id, devices, faults } of cast) {
    for (const [device, kinds] of Object.entries(faults)) {
      const plant = new Plant({ seed: 1, startMs: 0, stepMs: pace.stepMs, devices });
      for (const kind of kinds) plant.inject(injectionOf(device, kind));
      plant.step();
      assert.deepEqual(
        plant.activeFaults().map(fault => fault.kind),
        kinds,
        `${id}/${device}`,
      );
    }
  }
});
