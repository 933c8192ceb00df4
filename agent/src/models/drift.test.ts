import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { machineBatch, trainedMachine } from '@edgeward/models/testing/machine';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { DriftDesk } from './drift.js';
import type { Notice } from './open-models.js';

const { card } = trainedMachine().bundle;
const revisions = { [card.deviceType]: card.revision };
const [stepMs, hourRows] = [20_000, 180];
const [hourMs, dayMs] = [3_600_000, 86_400_000];

/** Of a machine whose pressure is nowhere near what it was in training. */
const moved = (() => {
  const batch = machineBatch({
    rows: 26 * hourRows,
    devices: 1,
    fault: { field: 'pressure', from: 0, offset: 50 },
  });
  return { ...batch, time: batch.time.map((_, r) => batch.time[0]! + r * stepMs) };
})();

async function place(t: TestContext) {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'edgeward-drift-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const clock = new FakeClock();
  const events: Notice[] = [];
  const onEvent = (event: Notice) => void events.push(event);
  /** As at a start. */
  const start = () => DriftDesk.open({ dataDir, clock, log: silentLogger, onEvent });
  return { dataDir, clock, events, start };
}

function feed(desk: DriftDesk, from: number, to: number): void {
  const batch: RecordBatch = sliceBatch(moved, from * hourRows, to * hourRows);
  const n = batch.time.length;
  const score = new Float32Array(n).fill(card.metrics.median);
  desk.take(batch, { score, anomaly: new Uint8Array(n), warmUp: new Uint8Array(n), evidence: [] }, card);
}

test('a day is counted over starts; what was told is told from the start on', async t => {
  const { start } = await place(t);
  const first = await start();
  feed(first, 0, 13);
  await first.close();
  const second = await start();
  feed(second, 13, 26);
  const [drift, ...others] = second.drifts(revisions);
  assert.deepEqual([drift?.device, others], ['machine-1', []]);
  assert.deepEqual(
    Object.keys(drift!).sort(),
    ['channels', 'device', 'revision', 'type'],
    'as reports have it',
  );
  await second.close();
  const third = await start();
  assert.deepEqual(third.drifts(revisions), [drift]);
  assert.deepEqual(third.drifts({ [card.deviceType]: '000000000000' }), [], 'of another model nothing');
});

test('damaged counts begin anew, what was told stays; and the other way round', async t => {
  const { dataDir, start, events } = await place(t);
  const first = await start();
  feed(first, 0, 26);
  await first.close();
  const counts = path.join(dataDir, 'drift.state');
  const bytes = await readFile(counts);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(counts, bytes);
  const second = await start();
  assert.equal(second.drifts(revisions).length, 1);
  await second.close();
  await writeFile(path.join(dataDir, 'drift.json'), '[{');
  const third = await start();
  assert.deepEqual(third.drifts(revisions), []);
  feed(third, 0, 13);
  assert.equal(events.length, 1, 'nothing was told but the first');
});

test('a device that sends nothing for a week is told no more, over starts too', async t => {
  for (const restarts of [false, true]) {
    const { clock, events, start } = await place(t);
    let desk = await start();
    feed(desk, 0, 26);
    for (const [days, left] of [
      [6, 1],
      [1, 0],
    ] as const) {
      await clock.advance(days * dayMs);
      if (restarts) {
        await desk.close();
        desk = await start();
      }
      const stop = new AbortController();
      const running = desk.run(stop.signal);
      await clock.advance(hourMs);
      assert.equal(desk.drifts(revisions).length, left, `after ${days} days more`);
      stop.abort();
      await running;
    }
    await desk.close();
    assert.match(events.at(-1)!.text, /machine-1 has sent no rows for a week/);
    feed(desk, 0, 26);
    assert.equal(desk.drifts(revisions).length, 1, 'it is back');
  }
});
