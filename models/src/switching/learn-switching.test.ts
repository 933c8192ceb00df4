import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { type CyclingOptions, cyclingBatch, cyclingFields } from '../testing/cycling-machine.js';
import { machineBatch, machineFields } from '../testing/machine.js';
import { learnSwitching } from './learn-switching.js';
import { switchingSchema } from './switching-model.js';

const learned = (options: CyclingOptions) => learnSwitching(cyclingBatch(options), cyclingFields);

test('of a machine that is switched on and off, the channel that tells its state is found', () => {
  const switching = learned({ rows: 15_000 }) ?? assert.fail('none found');
  assert.equal(switching.by.field, 'current');
  assert.ok(switching.by.off > 0.5 && switching.by.on < 3.5, 'off and on lie between the levels');
  assert.deepEqual(switchingSchema.parse(switching), switching, 'it fits into a card');
  const judged = switching.states[1].judged.map(({ channel }) => cyclingFields[channel]);
  assert.deepEqual(
    judged,
    ['room', 'coil', 'outside', 'current'],
    'the door is a witness, and is not judged',
  );
});

test('a flag that says whether the machine runs is found as well as its current', () => {
  const batch = cyclingBatch({ rows: 15_000 });
  const running = (batch.values[3] as Float64Array).map(value => (value > 2 ? 1 : 0));
  const values = batch.values.map((column, c) => (c === 3 ? running : column));
  assert.equal(learnSwitching({ ...batch, values }, cyclingFields)?.by.field, 'current');
});

test('a machine under a load that comes and goes is none', () => {
  assert.equal(learnSwitching(machineBatch({ rows: 15_000 }), machineFields), undefined);
});

test('a door that opens now and then is no switch of what it says nothing of', () => {
  const rng = seededRng(5);
  const noise = gaussian(rng);
  const [n, door] = [20_000, new Float64Array(20_000)];
  for (let r = 0, open = 0; r < n; r++) {
    open = open > 0 ? open - 1 : rng() < 0.004 ? 25 : 0;
    door[r] = open > 0 ? 1 : 0;
  }
  const values = [door, door.map(() => 20 + noise())];
  assert.equal(learnSwitching(batchOf(values), ['a', 'b']), undefined);
  const told = [door, door.map(open => 20 + 3 * open + noise())];
  assert.equal(learnSwitching(batchOf(told), ['a', 'b'])?.by.field, 'a', 'but it is if it says something');
});

test('a channel that is there only while the machine is on is judged only then, and tells no state', () => {
  const batch = cyclingBatch({ rows: 15_000 });
  const on = (r: number) => Number(batch.values[3]![r]) > 2;
  const outside = (batch.values[2] as Float64Array).map((value, r) => (on(r) ? value : Number.NaN));
  const values = batch.values.map((column, c) => (c === 2 ? outside : column));
  const switching = learnSwitching({ ...batch, values }, cyclingFields) ?? assert.fail('none found');
  assert.equal(switching.by.field, 'current');
  const judged = switching.states.map(state => state.judged.some(({ channel }) => channel === 2));
  assert.deepEqual(judged, [false, true]);
  const alone = { ...batch, schema: { ...batch.schema, fields: batch.schema.fields.slice(2, 4) } };
  assert.equal(learnSwitching({ ...alone, values: values.slice(2, 4) }, ['outside', 'current']), undefined);
});

test('a record that has seen too few switches teaches nothing of them', () => {
  assert.equal(learned({ rows: 3000 }), undefined);
});

test('the fewer phases a record holds, the wider are the limits', () => {
  const width = (rows: number) => {
    const { judged, scale } = learned({ rows })!.states[1];
    return judged.map(({ low, high, channel }) => (high - low) * scale[channel]!)[3]!;
  };
  assert.ok(width(12_000) > 1.2 * width(100_000), `${width(12_000)}, ${width(100_000)}`);
});

function batchOf(values: readonly Float64Array[]): RecordBatch {
  const n = values[0]!.length;
  return {
    schema: {
      type: 'x',
      fields: values.map((_, c) => ({ name: 'ab'[c]!, kind: 'float' as const })),
      devices: ['x'],
    },
    time: Float64Array.from({ length: n }, (_, r) => 1e12 + 1000 * r),
    device: new Uint16Array(n),
    row: Float64Array.from({ length: n }, (_, r) => r + 1),
    values,
    quality: new Uint16Array(n),
  };
}
