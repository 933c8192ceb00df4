/** Trainings from a real journal; the process is a real one where it is what the test is about. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { machineBatch } from '@edgeward/models/testing/machine';
import { silentLogger } from '@edgeward/shared/log';
import { Metrics } from '@edgeward/shared/metrics/metrics';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Incident } from '../alerts/incident.js';
import { healthOf } from '../health.js';
import { openJournal } from '../journal/testing/blocks.js';
import { addTrainingMetrics } from '../metrics/training-metrics.js';
import { ModelRegistry } from '../models/registry.js';
import type { BundleView } from '../views.js';
import { trainingConfig } from './config.js';
import { maxTypes, type Run, Runs } from './runs.js';
import { fakeTrainer } from './testing/fake-trainer.js';
import { blocksOf, incoming } from './testing/machines.js';
import { startTrainer } from './trainer.js';
import { blankTraining, Trainings, type TrainingsOptions } from './trainings.js';

const order = { type: 'machine', acceptChange: false, assign: false };
const stepMs = 2000;
const limit = { timeout: 60_000 };
/** At the usual priority: a busy machine would starve it. */
const realProcess = () => startTrainer({ givesWay: false });
/** Too few to hold some out: each training takes half the time. */
const record = machineBatch({ rows: 600 });

async function plant(t: TestContext, given: object = {}, more: Partial<TrainingsOptions> = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-training-'));
  const clock = new FakeClock({ nowMs: record.time.at(-1)! + 1000 });
  const journal = await openJournal(folder);
  t.after(async () => {
    await journal[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const registry = await ModelRegistry.open(path.join(folder, 'models'), clock, silentLogger);
  const asked: string[] = [];
  const assignments: { type: string; gateway: null; revision: string }[] = [];
  const models = {
    view: () => ({
      bundles: registry.all().map(one => ({ ...one.manifest, ...one }) as unknown as BundleView),
      assignments: assignments as never,
      gateways: [],
      trainings: [],
    }),
    add: async (files: Readonly<Record<string, Uint8Array>>) => (await registry.add(files)) as never,
    assign: async (
      { type, gateway }: { type: string; gateway: string | null },
      revision: string,
      byShadow: boolean,
    ) => {
      asked.push(`${type}=${revision} ${gateway ?? 'all'}${byShadow ? ' shadow' : ''}`);
      assignments.push({ type, gateway: null, revision });
      return undefined;
    },
  };
  const config = trainingConfig.parse(given);
  const scheduled = config.schedule.map(({ deviceType }) => deviceType);
  const open = async (collector = 'plant') =>
    new Trainings({
      config,
      collector,
      runs: await Runs.open(path.join(folder, 'models'), scheduled, silentLogger),
      journal,
      models,
      incidents: () => [],
      clock,
      log: silentLogger,
      startProcess: fakeTrainer,
      ...more,
    });
  const fill = () => journal.append(blocksOf(record).map(incoming));
  const runs = () => Runs.open(path.join(folder, 'models'), scheduled, silentLogger);
  return { folder, clock, journal, registry, asked, assignments, open, fill, runs };
}

/** What came of one that somebody asks for. */
async function outcome(trainings: Trainings, more: object = {}) {
  assert.equal(trainings.start({ ...order, ...more }).state, 'running');
  await trainings.idle();
  return trainings.view()[0]!;
}

const once = 'on demand: a bundle that says where it is from; the same again is told as such, and tried once';
test(once, limit, async t => {
  let started = 0;
  const real = { startProcess: () => (started++ === 0 ? realProcess() : fakeTrainer()) };
  const { folder, registry, journal, asked, open, fill } = await plant(t, {}, real);
  await fill();
  const trainings = await open();
  const first = await outcome(trainings);
  assert.deepEqual([first.state, first.rows, first.assigned, first.text], ['trained', 1200, false, null]);
  const [bundle] = registry.all();
  assert.equal(bundle!.manifest.revision, first.revision);
  const card = JSON.parse(
    await readFile(path.join(folder, 'models', 'bundles', bundle!.id, 'card.json'), 'utf8'),
  );
  assert.deepEqual(
    [card.training.source, card.training.rows, card.training.devices, card.deviceType, card.format],
    ['journal of plant; left out: nothing', 1200, 2, 'machine', 2],
  );
  // Its card would tell another source.
  const again = await outcome(await open('renamed'), { assign: true });
  assert.deepEqual([again.state, again.revision, again.assigned], ['unchanged', first.revision, true]);
  assert.equal((await outcome(trainings, { assign: true })).assigned, false, 'it is what they should run');
  assert.deepEqual(asked, [`machine=${first.revision} all shadow`]);
  assert.equal((await readdir(path.join(folder, 'models', 'bundles'))).length, 1);
  assert.match(
    journal.events().at(-1)!.text,
    /^machine: [0-9a-f]{12} came to the same model as before, from 1200 rows/,
  );
});

test('rows of incidents are not learned from, drift is no such; hours and method are heeded', async t => {
  const about = { gateway: 'gw-1', deviceType: 'machine', detector: 'forest' };
  const span = (from: number, through: number) => ({
    firstMs: record.time[0]! + from * stepMs,
    lastMs: record.time[0]! + through * stepMs,
  });
  const incidents = [
    { ...about, device: 'machine-1', ...span(1100, 1150) },
    { ...about, device: 'machine-2', detector: 'drift', ...span(0, 2999) },
    { ...about, device: 'machine-2', deviceType: 'pump', ...span(0, 2999) },
  ] as Incident[];
  const { clock, open, journal } = await plant(t, {}, { incidents: () => incidents });
  const longer = machineBatch({ rows: 1500 });
  await journal.append(blocksOf(longer).map(incoming));
  await clock.advance(900 * stepMs);
  const { state, rows, leftOut, text } = await outcome(await open(), { hours: 0.5, method: 'forest' });
  assert.deepEqual(leftOut, { time: 0, alarm: 0, incident: 51, quality: 0, near: 120 }, String(text));
  // A forest over features holds a fifth out, and rows of warm-up.
  assert.ok(state === 'trained' && rows! > 1000 && rows! < 1800 - 171, `${state} ${rows}`);
});

test('what cannot be learned from is refused with the reason; the next one runs', async t => {
  const { open, fill, registry } = await plant(t);
  const trainings = await open();
  assert.throws(() => trainings.start(order), {
    code: 'EW_TRAIN_INPUT',
    message: /Of machine the journal has no rows; it has rows of no device type/,
  });
  await fill();
  assert.throws(() => trainings.start({ ...order, type: 'pump' }), /Of pump .*; it has rows of machine\./);
  assert.deepEqual(trainings.view(), [], 'what nobody has is not noted');
  const tooFew = await outcome(trainings, { hours: 0.01 });
  assert.deepEqual([tooFew.state, tooFew.code], ['refused', 'EW_TRAIN_INPUT']);
  assert.match((await outcome(trainings, { hours: 0.01 })).text!, /usable rows after 60 of warm-up/);
  assert.deepEqual(registry.all(), []);
});

test('a record that ends in another state is refused, unless that is said to be usual', async t => {
  const { journal, open } = await plant(t);
  const steady = machineBatch({ rows: 2400, devices: 1 });
  const noise = gaussian(seededRng(1));
  const values = steady.values.map(() =>
    Float64Array.from(steady.time, (_, r) => 10 + noise() + (r > 1920 ? 30 : 0)),
  );
  await journal.append(blocksOf({ ...steady, values }).map(incoming));
  const trainings = await open();
  const { state, text } = await outcome(trainings);
  assert.equal(state, 'refused');
  assert.match(text!, /The last fifth of the record is unlike the rest.*accept-change/);
  assert.equal((await outcome(trainings, { acceptChange: true })).state, 'trained');
});

const ends =
  'its process is killed, or takes too long, or the collector stops: that is told, and nothing else';
test(ends, limit, async t => {
  let act: 'kill' | 'hang' | 'answer' = 'kill';
  const startProcess = () => {
    if (act !== 'kill') return fakeTrainer({ answers: act === 'answer' });
    const child = realProcess();
    child.kill('SIGKILL');
    return child;
  };
  const { clock, open, fill, journal } = await plant(t, {}, { startProcess });
  await fill();
  const trainings = await open();
  const killed = await outcome(trainings);
  assert.deepEqual([killed.state, killed.code], ['failed', 'EW_TRAIN_FAILED']);
  assert.match(killed.text!, /ended by itself \(SIGKILL\)/);
  act = 'hang';
  trainings.start(order);
  assert.throws(() => trainings.start(order), {
    code: 'EW_HTTP_BUSY',
    message: /A model of machine is being trained/,
  });
  await clock.someoneSleeps();
  await clock.advance(16 * 60_000);
  await trainings.idle();
  assert.match(trainings.view()[0]!.text!, /longer than 15 min and was ended/);
  trainings.start(order);
  const stop = new AbortController();
  const running = trainings.run(stop.signal);
  stop.abort();
  await running;
  const [{ state, code } = assert.fail('no training')] = trainings.view();
  assert.deepEqual([state, code], ['interrupted', 'EW_STOPPED']);
  assert.throws(() => trainings.start(order), { code: 'EW_HTTP_BUSY' });
  act = 'answer';
  assert.equal((await outcome(await open())).state, 'trained');
  assert.ok(journal.events().some(({ text }) => /ended by itself/.test(text)));
});

test('the schedule: not at once, again after its time, sooner after a refusal, and over restarts', async t => {
  const schedule = [{ deviceType: 'machine', everyHours: 24, assign: true }];
  const { clock, open, fill, asked } = await plant(t, { schedule, minRows: 1000, minHours: 0.3 });
  const runs: string[] = [];
  const hourMs = 3_600_000;
  const startMs = clock.now();
  let trainings = await open();
  const stop = new AbortController();
  let running = trainings.run(stop.signal);
  /** Moves on, waiting for what has begun. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10 * 60_000) {
      await clock.advance(Math.min(left, 10 * 60_000));
      await trainings.idle();
      const [{ state, startedMs } = { state: 'none', startedMs: 0 }] = trainings.standing();
      const said = `${state} ${startedMs === null ? '' : Math.round((startedMs - startMs) / hourMs)}`;
      if (runs.at(-1) !== said) runs.push(said);
    }
  };
  await pass(30_000);
  assert.deepEqual(runs, ['waiting '], 'not at once');
  await pass(hourMs);
  assert.deepEqual(runs.slice(1), ['refused 0'], 'it has no rows');
  const told = () => checkOf(trainings, clock);
  assert.deepEqual([told()?.ok, /no rows/.test(told()?.detail ?? '')], [false, true]);
  await fill();
  await pass(3 * hourMs);
  assert.deepEqual(runs.slice(2), ['trained 3']);
  assert.equal(told()?.ok, true);
  assert.equal(asked.length, 1);
  stop.abort();
  await running;
  trainings = await open();
  const last = new AbortController();
  running = trainings.run(last.signal);
  await pass(20 * hourMs);
  assert.deepEqual(runs.slice(3), [], 'a day has not passed');
  await pass(4 * hourMs);
  assert.deepEqual(runs.slice(3), ['unchanged 27']);
  assert.equal(asked.length, 1, 'it is what they should run');
  const metrics = new Metrics();
  addTrainingMetrics(metrics, () => ({ trainings }));
  const text = await metrics.text();
  assert.match(text, /^collector_training_outcome\{type="machine",outcome="unchanged"\} 1$/m);
  assert.match(text, /^collector_training_outcome\{type="machine",outcome="refused"\} 0$/m);
  assert.match(text, /^collector_training_rows\{type="machine"\} 1200$/m);
  last.abort();
  await running;
});

test('one that ran when the collector was killed was interrupted; a file that is damaged is begun anew', async t => {
  const { folder, open } = await plant(t, { schedule: [{ deviceType: 'machine', everyHours: 24 }] });
  const file = path.join(folder, 'models', 'training.json');
  await mkdir(path.dirname(file), { recursive: true });
  const run = { ...blankTraining('machine', 'schedule'), state: 'running', startedMs: record.time.at(-1) };
  await writeFile(file, JSON.stringify({ format: 1, runs: [run] }));
  const [view] = (await open()).view();
  assert.deepEqual([view!.state, view!.text], ['interrupted', 'The collector ended while it ran.']);
  assert.equal(view!.nextMs, record.time.at(-1)! + 3_600_000);
  await writeFile(file, '{');
  assert.equal((await open()).view()[0]!.state, 'waiting');
});

test('a stop interrupts: trained soon after the start, and no fault of the schedule', async t => {
  const schedule = [{ deviceType: 'machine', everyHours: 168 }];
  const asked = { answers: false };
  const startProcess = () => fakeTrainer(asked);
  const limits = { schedule, minRows: 200, minHours: 0 };
  const { clock, open, fill } = await plant(t, limits, { startProcess });
  await fill();
  const first = await open();
  const stop = new AbortController();
  const running = first.run(stop.signal);
  await clock.advance(61_000);
  await clock.advance(10_000);
  assert.equal(first.view()[0]?.state, 'running');
  stop.abort();
  await running;
  asked.answers = true;
  const second = await open();
  const [{ state, nextMs } = assert.fail('no training')] = second.standing();
  assert.deepEqual([state, nextMs], ['interrupted', clock.now() + 60_000]);
  assert.equal(checkOf(second, clock)?.ok, true);
});

test('the schedule never assigns again what is there: somebody may have rolled it back', async t => {
  const schedule = [{ deviceType: 'machine', everyHours: 24, assign: true }];
  const { clock, open, fill, asked, assignments } = await plant(t, { schedule, minRows: 200, minHours: 0 });
  await fill();
  const trainings = await open();
  const stop = new AbortController();
  const running = trainings.run(stop.signal);
  const pass = async (ms: number) => {
    await clock.advance(ms);
    await trainings.idle();
  };
  await pass(70_000);
  assert.equal(asked.length, 1);
  assignments.length = 0;
  await pass(25 * 3_600_000);
  await pass(10_000);
  const [{ state, assigned } = assert.fail('no training')] = trainings.standing();
  assert.deepEqual([state, assigned, asked.length], ['unchanged', false, 1]);
  stop.abort();
  await running;
  assert.equal((await outcome(await open(), { assign: true })).assigned, true, 'who asks for it gets it');
});

test('what somebody tries neither puts the schedule off nor hides what it came to', async t => {
  const schedule = [{ deviceType: 'machine', everyHours: 168 }];
  const { clock, open, fill, runs } = await plant(t, { schedule, minRows: 100_000 });
  await fill();
  const trainings = await open();
  const stop = new AbortController();
  const running = trainings.run(stop.signal);
  await clock.advance(70_000);
  await trainings.idle();
  const [refused] = trainings.standing();
  assert.deepEqual([refused?.by, refused?.state], ['schedule', 'refused']);
  await clock.advance(60_000);
  assert.equal((await outcome(trainings)).state, 'trained');
  assert.deepEqual(trainings.standing(), [refused]);
  assert.equal(trainings.view()[0]?.nextMs, refused?.nextMs);
  assert.equal(checkOf(trainings, clock)?.ok, false);
  stop.abort();
  await running;
  assert.deepEqual((await open()).standing()[0]?.startedMs, refused?.startedMs);
  assert.deepEqual([...(await runs()).all()].map(({ by }) => by).sort(), ['demand', 'schedule']);
});

test('types of the schedule are never forgotten, however many are tried; it has no more than are kept', async t => {
  const { runs } = await plant(t, { schedule: [{ deviceType: 'machine', everyHours: 24 }] });
  const kept = await runs();
  const run = (type: string, by: Run['by']): Run => ({
    ...blankTraining(type, by),
    state: 'trained',
    startedMs: 1,
  });
  await kept.put(run('machine', 'schedule'));
  for (let i = 0; i < maxTypes + 6; i++) await kept.put(run(`type-${i}`, 'demand'));
  assert.deepEqual((await runs()).get('machine', 'schedule'), run('machine', 'schedule'));
  assert.equal(kept.all().length, maxTypes + 1);
  const many = Array.from({ length: maxTypes + 1 }, (_, i) => ({ deviceType: `t${i}`, everyHours: 24 }));
  assert.throws(() => trainingConfig.parse({ schedule: many }), /64/);
  trainingConfig.parse({ schedule: many.slice(1) });
});

test('what another release has written is kept as far as it is understood', async t => {
  const { folder, runs } = await plant(t, { schedule: [{ deviceType: 'machine', everyHours: 24 }] });
  const file = path.join(folder, 'models', 'training.json');
  await mkdir(path.dirname(file), { recursive: true });
  const { fieldsLeftOut: _, ...older } = blankTraining('machine', 'schedule');
  const newer = { ...older, state: 'put off', startedMs: 5, leftOut: { novel: 1 }, novel: true };
  await writeFile(file, JSON.stringify({ format: 1, runs: [newer], novel: {} }));
  const run = (await runs()).get('machine', 'schedule');
  assert.deepEqual(run, { ...blankTraining('machine', 'schedule'), state: 'failed', startedMs: 5 });
});

function checkOf(trainings: Trainings, clock: FakeClock) {
  const { checks } = healthOf({ ...quiet, trainings: trainings.standing(), clock });
  return checks.find(({ name }) => name === 'training:machine');
}

const quiet = {
  ingest: { failure: null },
  journal: { damage: [], losses: { all: () => [] } } as never,
  broker: { status: { ok: true, detail: '' } },
  followers: [],
  untold: [],
  stopping: false,
};
