/** The gateway's wall clock starts in 1970, jumps by months, and goes over the same seconds again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Workbench } from '../support/processes.js';
import { ClockMachine, type ClockRow, noFaketime } from './clock-machine.js';

const dayS = 86_400;
const options = { skip: noFaketime(), timeout: 180_000 };

/** What must hold whatever the clock did. */
function assertEachOnce(rows: readonly ClockRow[]): void {
  const ids = new Set(rows.map(({ device, epoch, row }) => `${device}/${epoch}/${row}`));
  assert.equal(ids.size, rows.length, 'no row twice');
  for (const epoch of new Set(rows.map(row => row.epoch))) {
    const numbers = rows.filter(row => row.epoch === epoch).map(({ row }) => row);
    assert.equal(Math.max(...numbers), numbers.length, `epoch ${epoch} has gaps`);
  }
  const times = new Set(rows.map(({ device, time }) => `${device}/${Math.round(time * 1000)}`));
  assert.equal(times.size, rows.length, 'no time of a device twice');
}

/** Around so many seconds ahead of the true time. */
const isNear = (aheadS: number) => (row: ClockRow) =>
  Math.abs(row.time - Date.now() - aheadS * 1000) < 3_600_000;

test(
  'the clock starts in 1970 and is set right: every row arrives once, at a time of its own',
  options,
  async () => {
    await using bench = new Workbench();
    const machine = await ClockMachine.create(bench);
    const sinceS = -Math.floor(Date.now() / 1000) + 20;
    machine.setClock(sinceS);
    machine.startAgent();
    await machine.moreRows(100);
    machine.setClock(0);
    await machine.moreRows(100);
    const rows = await machine.stop();
    assertEachOnce(rows);
    assert.ok(rows.filter(isNear(0)).length > 50, 'the agent saw the right time');
  },
);

for (const days of [30, -30])
  test(
    `the clock jumps by ${days} days and back: every row arrives once, at a time of its own`,
    options,
    async () => {
      await using bench = new Workbench();
      const machine = await ClockMachine.create(bench);
      machine.setClock(0);
      machine.startAgent();
      for (const aheadS of [0, days * dayS, 0]) {
        machine.setClock(aheadS);
        await machine.moreRows(100);
      }
      assertEachOnce(await machine.stop());
    },
  );

test(
  'the clock goes over the same seconds again and again: every row has a time of its own (seeded)',
  options,
  async () => {
    const seed = testSeed('clock-jumps');
    const rng = seededRng(seed);
    await using bench = new Workbench();
    const machine = await ClockMachine.create(bench);
    machine.setClock(0);
    machine.startAgent();
    let aheadS = 0;
    for (let jump = 0; jump < 8; jump++) {
      await machine.moreRows(50 + Math.floor(rng() * 100));
      aheadS -= 1 + Math.floor(rng() * 3);
      machine.setClock(aheadS);
    }
    const rows = await machine.stop();
    assertEachOnce(rows);
    const moved = rows.filter(({ quality }) => quality.includes('timeMoved')).length;
    assert.ok(moved > 0, 'no time had to be moved: the test has shown nothing');
    const back = rows.filter(({ quality }) => quality.includes('timeBackwards')).length;
    assert.ok(back >= 6, `${back} rows went back`);
  },
);
