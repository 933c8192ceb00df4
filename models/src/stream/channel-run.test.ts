import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Detector, RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Quality } from '@edgeward/shared/quality';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { type Forest, scoreForest } from '../isolation-forest.js';
import type { Judgement } from '../judgement.js';
import { sliceBatch } from '../slice-batch.js';
import { forestFeatures } from './channel-model.js';
import { ChannelRun } from './channel-run.js';
import { trainChannels } from './train-channels.js';

const options = { seed: 1, trees: 50, samples: 256, alarmsADay: 0.1, holdRows: 1 };
const fields = ['pressure', 'flow', 'temperature', 'energy'];
const firstMs = Date.UTC(2026, 0, 5);

/** A machine at 1 Hz: pressure and flow go together, the temperature wanders, energy is a counter. */
function machine(seed: number, n: number): number[][] {
  const random = gaussian(seededRng(seed));
  let [temperature, energy] = [40, 1e6];
  return Array.from({ length: n }, () => {
    const load = random();
    temperature += 0.05 * random();
    energy += 3 + 0.3 * random();
    return [5 + 0.1 * load + 0.02 * random(), 30 + load + 0.2 * random(), temperature, energy];
  });
}

function batchOf(rows: readonly (readonly number[])[], more: Partial<RecordBatch> = {}): RecordBatch {
  return {
    schema: {
      type: 'press',
      fields: fields.map(name => ({ name, kind: 'float' })),
      devices: ['press-1'],
    },
    time: Float64Array.from(rows, (_, r) => firstMs + 1000 * r),
    device: new Uint16Array(rows.length),
    row: Float64Array.from(rows, (_, r) => r + 1),
    values: fields.map((_, c) => Float64Array.from(rows, row => row[c]!)),
    quality: new Uint16Array(rows.length),
    ...more,
  };
}

function detectorOf(forest: Forest, features: readonly string[]): Detector {
  return {
    features,
    revision: 'r1',
    async score(x, n) {
      const scores = new Float32Array(n);
      scoreForest(forest, x, n, scores);
      return scores;
    },
    async [Symbol.asyncDispose]() {},
  };
}

test('devices are looked up when they have rows, not with every batch', async () => {
  const run = new ChannelRun({ model, detector: detectorOf(forest, forestFeatures(model.plan)) });
  const rows = batchOf(machine(1, 40));
  let looked = 0;
  const devices = Array.from({ length: 1000 }, (_, d) => `press-${d}`);
  const schema = {
    ...rows.schema,
    devices: new Proxy(devices, {
      get: (names, key) => {
        if (Number(key) >= 0) looked += 1;
        return Reflect.get(names, key);
      },
    }),
  };
  const device = Uint16Array.from(rows.device, (_, r) => (r % 2 === 0 ? 7 : 999));
  for (let r = 0; r < 40; r++) await run.judge(sliceBatch({ ...rows, schema, device }, r, r + 1));
  assert.equal(looked, 2);
  assert.deepEqual(
    run.save().map(({ name }) => name),
    ['press-7', 'press-999'],
  );
});

const seed = testSeed('channels');
const { model, forest } = trainChannels(batchOf(machine(seed, 2000)), options);
const newRun = () => new ChannelRun({ model, detector: detectorOf(forest, forestFeatures(model.plan)) });

/** Judged in batches of so many rows, put together again. */
async function judge(batch: RecordBatch, rows: number): Promise<Judgement> {
  const run = newRun();
  const parts: Judgement[] = [];
  for (let from = 0; from < batch.time.length; from += rows) {
    const cut = <T extends { slice(from: number, to: number): T }>(column: T) =>
      column.slice(from, from + rows);
    parts.push(
      await run.judge({
        ...batch,
        time: cut(batch.time),
        device: cut(batch.device),
        row: cut(batch.row),
        values: batch.values.map(column => (column as Float64Array).slice(from, from + rows)),
        quality: cut(batch.quality),
      }),
    );
  }
  const all = (key: 'score' | 'anomaly' | 'warmUp') => parts.flatMap(part => [...part[key]]);
  return {
    score: Float32Array.from(all('score')),
    anomaly: Uint8Array.from(all('anomaly')),
    warmUp: Uint8Array.from(all('warmUp')),
    evidence: parts.flatMap((part, i) => part.evidence.map(one => ({ ...one, at: one.at + i * rows }))),
  };
}

/** 900 rows; from the 600th the flow no longer follows the pressure. */
function blocked(): number[][] {
  return machine(seed + 1, 900).map((row, r) => (r < 600 ? row : [row[0]!, row[1]! - 6, row[2]!, row[3]!]));
}

test('a counter is taken by its increase, what wanders by its change', () => {
  assert.deepEqual(
    model.plan.map(({ take, role }) => `${take} ${role}`),
    ['value steady', 'value steady', 'value wandering', 'increase steady'],
  );
});

test('usual rows give no alarm; a fault does soon, and its channel and direction are named', async () => {
  const { score, anomaly, warmUp, evidence } = await judge(batchOf(blocked()), 50);
  assert.equal(warmUp.lastIndexOf(1), model.warmUpRows - 1);
  assert.ok(score.subarray(0, model.warmUpRows).every(Number.isNaN));
  const first = anomaly.indexOf(1);
  assert.ok(first >= 600 && first < 610, `row ${first}, SEED=${seed}`);
  assert.equal(anomaly.indexOf(0, first), -1, 'until the end');
  assert.ok(score.every((value, r) => Number.isNaN(value) || value > 0.5 === (anomaly[r] === 1)));
  const [reason] = evidence;
  assert.equal(reason?.at, first);
  assert.deepEqual(
    [reason.source, reason.threshold, reason.channels[0]?.field, reason.channels[0]?.direction],
    ['r1', 0.5, 'flow', 'low'],
  );
  assert.ok(evidence.length < 40, 'a long alarm is not explained at every row');
});

test('how rows are cut into batches changes nothing, nor does what comes after them', async () => {
  const whole = await judge(batchOf(blocked()), 900);
  for (const rows of [1, 7, 256]) assert.deepEqual(await judge(batchOf(blocked()), rows), whole);
  const cut = await judge(batchOf(blocked().slice(0, 640)), 64);
  assert.deepEqual(cut.score, whole.score.slice(0, 640));
  assert.deepEqual(cut.anomaly, whole.anomaly.slice(0, 640));
});

test('devices do not see one another', async () => {
  const [own, other] = [blocked(), machine(seed + 2, 900)];
  const alone = await judge(batchOf(own), 900);
  const rows = own.flatMap((row, r) => [row, other[r]!]);
  const both = await newRun().judge(
    batchOf(rows, {
      schema: { ...batchOf([]).schema, devices: ['press-1', 'press-2'] },
      time: Float64Array.from(rows, (_, r) => firstMs + 1000 * (r >> 1)),
      device: Uint16Array.from(rows, (_, r) => r % 2),
    }),
  );
  assert.deepEqual(
    both.score.filter((_, r) => r % 2 === 0),
    alone.score,
  );
});

test('a row older than the newest is not judged and changes nothing', async () => {
  const rows = blocked();
  const whole = await judge(batchOf(rows), 900);
  const batch = batchOf([...rows.slice(0, 300), [0, 0, 0, 0], ...rows.slice(300)]);
  batch.time.copyWithin(301, 300, 900);
  batch.time.set([firstMs], 300);
  batch.time[900] = firstMs + 899_000;
  const late = await judge(batch, 900);
  assert.ok(Number.isNaN(late.score[300]!) && late.anomaly[300] === 0 && late.warmUp[300] === 0);
  assert.deepEqual(late.score.slice(301), whole.score.slice(300));
});

test('a value that is missing or bad leaves the last one standing; a row without any is not judged', async () => {
  const rows = machine(seed + 3, 400);
  const gaps = rows.map((row, r) => (r >= 200 && r < 220 ? [row[0]!, Number.NaN, row[2]!, row[3]!] : row));
  gaps[300] = gaps[300]!.map(() => Number.NaN);
  const held = rows.map((row, r) =>
    r >= 200 && r < 220 ? [row[0]!, rows[199]![1]!, row[2]!, row[3]!] : row,
  );
  const [missing, standing] = [await judge(batchOf(gaps), 400), await judge(batchOf(held), 400)];
  assert.deepEqual(missing.score.slice(0, 300), standing.score.slice(0, 300));
  assert.ok(Number.isNaN(missing.score[300]!));
  const absurd = rows.map((row, r) => (r >= 200 && r < 220 ? [row[0]!, 1e9, row[2]!, row[3]!] : row));
  const bad = new Uint8Array(400).fill(Quality.outOfRange, 200, 220);
  const marked = await newRun().judge(
    batchOf(absurd, { fieldQuality: [undefined, bad, undefined, undefined] }),
  );
  assert.deepEqual(marked.score.slice(0, 300), standing.score.slice(0, 300));
});

test('a device that was silent for long warms up again, one that was not does not', async () => {
  const time = Float64Array.from({ length: 900 }, (_, r) => firstMs + 1000 * r + (r < 300 ? 0 : 90_000));
  const short = await newRun().judge(batchOf(machine(seed, 900), { time }));
  assert.equal(short.warmUp.lastIndexOf(1), model.warmUpRows - 1);
  const later = time.map((timeMs, r) => timeMs + (r < 300 ? 0 : 90_000));
  const long = await newRun().judge(batchOf(machine(seed, 900), { time: later }));
  assert.equal(long.warmUp.lastIndexOf(1), 300 + model.warmUpRows - 1);
});

test('rows without any value are a silence, too', async () => {
  const rows = machine(seed, 600);
  for (let r = 200; r < 350; r++) rows[r]!.fill(Number.NaN);
  const { warmUp } = await judge(batchOf(rows), 600);
  assert.equal(warmUp.lastIndexOf(1), 350 + model.warmUpRows - 1);
});

test('a device whose clock was set back is judged again soon; a few late rows are stragglers', async () => {
  const back = Float64Array.from({ length: 900 }, (_, r) => firstMs + 1000 * (r < 400 ? r : r - 3600));
  const { score, warmUp } = await newRun().judge(batchOf(machine(seed, 900), { time: back }));
  assert.ok(score.subarray(400, 429).every(Number.isNaN) && !warmUp.subarray(400, 429).includes(1));
  assert.equal(warmUp.indexOf(1, 400), 429);
  assert.equal(warmUp.lastIndexOf(1), 429 + model.warmUpRows - 1);
  assert.ok(!Number.isNaN(score[899]!));
});

test('rows that were lost are no alarm, whatever a counter counted meanwhile', async () => {
  const rows = machine(seed + 5, 900);
  const kept = [...rows.keys()].filter(r => r % 20 !== 7 && (r < 500 || r > 530));
  const time = Float64Array.from(kept, r => firstMs + 1000 * r);
  const { anomaly } = await newRun().judge(
    batchOf(
      kept.map(r => rows[r]!),
      { time },
    ),
  );
  assert.equal(anomaly.indexOf(1), -1, `SEED=${seed}`);
});

test('a counter that begins anew is no alarm', async () => {
  const rows = machine(seed + 4, 600).map((row, r) => [
    ...row.slice(0, 3),
    r < 300 ? row[3]! : row[3]! - 1e6,
  ]);
  const { anomaly } = await judge(batchOf(rows), 600);
  assert.equal(anomaly.indexOf(1), -1, `SEED=${seed}`);
});

test('a record in which nothing ever changes gives no model', () => {
  const off = machine(seed, 500).map(() => [5, 30, 21.5, 7]);
  assert.throws(() => trainChannels(batchOf(off), options), /No column ever changes/);
});

test('the same rows and options give the same model; too few give none', () => {
  const again = trainChannels(batchOf(machine(seed, 2000)), options);
  assert.deepEqual([again.model, again.forest], [model, forest]);
  assert.throws(
    () => trainChannels(batchOf(machine(seed, 250)), options),
    (error: unknown) =>
      error instanceof EdgewardError &&
      error.code === 'EW_TRAIN_INPUT' &&
      /190 usable rows .* fewer than 200\./.test(error.message),
  );
});
