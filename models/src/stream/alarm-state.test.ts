import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBack, written } from '../memory.js';
import { AlarmState } from './alarm-state.js';

const options = { threshold: 2, recovery: 0.5, forgetting: 0.9, holdRows: 1 };

function alarms(ratios: readonly number[], more: Partial<typeof options> = {}): string {
  const state = new AlarmState({ ...options, ...more });
  return ratios.map(ratio => (state.next(ratio) ? '!' : '.')).join('');
}

test('an alarm lasts from above the threshold to below it', () => {
  assert.equal(alarms([1, 1.9, 2.1, 2.5, 2.1, 1.9, 2.1]), '..!!!.!');
});

test('an alarm has passed when half of its height is gone, and the next has to rise from there', () => {
  assert.equal(alarms([1, 10, 20, 11, 9, 9, 9]), '.!!!...');
  assert.equal(alarms([10, 4, 7, 9]), '!..!', 'nearly twice what it ended at');
  assert.equal(alarms([10, 4, ...Array<number>(8).fill(1), 2.1]), '!.........!', 'what it ended at passes');
});

test('it may have to hold for some rows, without a break', () => {
  assert.equal(alarms([3, 3, 1, 3, 3, 3, 3], { holdRows: 3 }), '.....!!');
});

test('after a reset nothing is left', () => {
  const state = new AlarmState(options);
  state.next(10);
  state.next(4);
  state.reset();
  assert.equal(state.limit, 2);
  assert.ok(state.next(2.1));
});

test('what is handed over at any row goes on as if there had been no stop', () => {
  const held = { ...options, holdRows: 3 };
  const ratios = [1, 3, 3, 3, 9, 9, 4, 3, 1, 5, 5, 1, 5, 5, 5, 8, 1, 1];
  const seen = (alarm: AlarmState, from: number, to = ratios.length) =>
    ratios.slice(from, to).map(ratio => [alarm.next(ratio), alarm.limit]);
  const whole = seen(new AlarmState(held), 0);
  assert.ok(whole.filter(([inAlarm], r) => inAlarm && !whole[r - 1]![0]).length > 1);
  for (let cut = 0; cut < ratios.length; cut++) {
    const [before, after] = [new AlarmState(held), new AlarmState(held)];
    seen(before, 0, cut);
    readBack(
      written(memory => before.remember(memory)),
      memory => after.remember(memory),
    );
    assert.deepEqual(seen(after, cut), whole.slice(cut), `row ${cut}`);
  }
});
