import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import type { ShadowPolicy } from '@edgeward/shared/models/manifest';
import { noAlarms } from './alarm-counter.js';
import type { Bundle } from './bundle.js';
import { type LoadedModel, loadDetector } from './engines.js';
import { Scorer } from './scorer.js';
import { AlarmWatch, ShadowRun } from './shadow.js';
import { judgeShadow, judgeWatch, watchLimits } from './shadow-rules.js';
import { sliceBatch } from './slice-batch.js';
import { machineBatch, trainedMachine } from './testing/machine.js';

const { bundle } = trainedMachine();

async function model(of: Bundle = bundle): Promise<LoadedModel> {
  return { bundle: of, detector: await loadDetector(of, { engine: 'typescript', log: silentLogger }) };
}

const deaf = { ...bundle, card: { ...bundle.card, threshold: 1 } };
const faulty = machineBatch({ rows: 400, seed: 50, fault: { field: 'flow', from: 200, offset: -8 } });

/** Scores `faulty` with somebody looking on. */
async function beside(candidate: Bundle) {
  const scorer = new Scorer({ models: [await model()], log: silentLogger });
  const run = new ShadowRun(await model(candidate), () => undefined);
  scorer.observe('machine', run);
  const [parts, n] = [[] as Promise<unknown>[], faulty.time.length];
  const scored: number[] = [];
  for (let from = 0; from < n; from += 37)
    parts.push(
      scorer
        .process(sliceBatch(faulty, from, Math.min(from + 37, n)))
        .then(batch => scored.push(...batch.score!)),
    );
  await Promise.all(parts);
  await scorer.process(sliceBatch(faulty, 0, 0)); // in its turn, behind who looks on
  return { run, scored };
}

test('a candidate that is the active model agrees in every row; scores are what they are without it', async () => {
  const { run, scored } = await beside(bundle);
  const alone = await new Scorer({ models: [await model()], log: silentLogger }).process(faulty);
  assert.deepEqual(scored, [...alone.score!]);
  const { rows, agreed, alarms, flagged, differences } = run.report();
  assert.equal(rows, 2 * (400 - bundle.card.features.warmUpRows));
  assert.equal(agreed, rows);
  assert.deepEqual(alarms, { candidate: 2, active: 2, reproduced: 2 });
  assert.equal(flagged.candidate, flagged.active);
  assert.deepEqual(differences, []);
});

test('a candidate that misses alarms is told with device, span and channels', async () => {
  const { run } = await beside(deaf);
  const { rows, agreed, alarms, flagged, differences } = run.report();
  assert.deepEqual(alarms, { candidate: 0, active: 2, reproduced: 0 });
  assert.equal(agreed, rows - flagged.active);
  assert.deepEqual(differences.map(({ device }) => device).sort(), ['machine-1', 'machine-2']);
  for (const { by, fromMs, toMs, rows: n, channels } of differences) {
    assert.deepEqual([by, channels[0]], ['active', 'flow']);
    assert.ok(fromMs >= faulty.time[400]! && toMs === faulty.time.at(-1), 'from the fault to the end');
    assert.ok(n > 150);
  }
});

const policy: ShadowPolicy = {
  rows: 100,
  hours: 2,
  maxAlarmsPerDay: 2,
  minReproduced: 0.5,
  rollbackFactor: 3,
  rollbackHours: 12,
};
const hour = 3_600_000;
const counts = (alarms: number, deviceMs: number, rows = 1000) => ({
  rows,
  flagged: alarms,
  alarms,
  deviceMs,
  devices: 2,
});
const seen = (candidate: ReturnType<typeof counts>, active = noAlarms, reproduced = 0) => ({
  candidate,
  active,
  agreed: 0,
  reproduced,
});

test('a candidate takes over within its budget and with the alarms of the active model, not before its time', () => {
  const day = 24 * hour;
  assert.equal(judgeShadow(policy, seen(counts(0, day, 99))), 'more');
  assert.equal(
    judgeShadow(policy, seen(counts(0, 3.9 * hour))),
    'more',
    'two devices for less than two hours',
  );
  assert.equal(judgeShadow(policy, seen(counts(2, day))), 'promote');
  assert.match(JSON.stringify(judgeShadow(policy, seen(counts(3, day)))), /3\.00 alarms a day and device/);
  assert.equal(judgeShadow(policy, seen(counts(1, day), counts(4, day), 2)), 'promote');
  assert.match(
    JSON.stringify(judgeShadow(policy, seen(counts(1, day), counts(4, day), 1))),
    /Of 4 alarms.*raised 1/,
  );
});

test('once active it gives way when it raises too many times its alarms in the shadow', () => {
  const limits = watchLimits(policy, seen(counts(4, 48 * hour)));
  // 4 in two days of devices; 12 h of two devices let expect 2, three times that are too many.
  assert.deepEqual(limits, { alarms: 6, deviceMs: 24 * hour });
  assert.equal(judgeWatch(limits, counts(5, hour)), 'more');
  assert.match(JSON.stringify(judgeWatch(limits, counts(6, hour))), /raised 6 alarms in its first 0\.5 h/);
  assert.equal(judgeWatch(limits, counts(5, 24 * hour)), 'stays');
  const short = watchLimits({ ...policy, rollbackHours: 0.1 }, seen(counts(0, 480 * hour)));
  assert.equal(short.alarms, 3, 'one or two alarms may be faults');
});

test('what was counted goes on after a restart', async () => {
  const { run } = await beside(bundle);
  const again = new ShadowRun(await model(), () => undefined, run.counts);
  assert.deepEqual(again.report().alarms, run.report().alarms);
  const scorer = new Scorer({ models: [await model()], log: silentLogger });
  const watch = new AlarmWatch(1e6, () => undefined, counts(4, hour));
  scorer.observe('machine', watch);
  await scorer.process(faulty);
  await scorer.process(sliceBatch(faulty, 0, 0)); // in its turn, behind who looks on
  assert.equal(watch.counts.alarms, 4 + 2);
});
