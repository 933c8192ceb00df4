import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blamedChannels } from './blamed-channels.js';
import type { ChannelPlan } from './channel-plan.js';

const channel: ChannelPlan = {
  field: 'valve',
  take: 'value',
  role: 'steady',
  center: 50,
  scale: 5,
  expected: [40, 60],
  median: 50,
};

test('outside its usual range a value is high or low, within it is what the others let expect that decides', () => {
  const plan = ['a', 'b', 'c', 'd'].map(field => ({ ...channel, field }));
  const found = blamedChannels(plan, Float64Array.of(-4, 3, -2, 1), [70, 30, 55, Number.NaN]);
  assert.deepEqual(
    found.map(({ field, value, direction, weight }) => [field, value, direction, weight]),
    [
      ['a', 70, 'high', 0.4],
      ['b', 30, 'low', 0.3],
      ['c', 55, 'low', 0.2],
      ['d', null, 'high', 0.1],
    ],
  );
});

test('a counter has no usual range, and neither has what wanders', () => {
  const [wandering] = blamedChannels([{ ...channel, role: 'wandering' }], Float64Array.of(-1), [99]);
  assert.deepEqual([wandering!.direction, wandering!.expected], ['low', undefined]);
  const [found] = blamedChannels([{ ...channel, take: 'increase' }], Float64Array.of(-1), [1e6]);
  assert.deepEqual([found!.direction, found!.expected], ['low', undefined]);
});
