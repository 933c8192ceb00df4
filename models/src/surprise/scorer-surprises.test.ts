import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { pino } from 'pino';
import { type LoadedModel, loadDetector } from '../engines.js';
import { Scorer, type ScorerOptions } from '../scorer.js';
import { packState, unpackState } from '../scorer-state.js';
import { sliceBatch } from '../slice-batch.js';
import { machineBatch, machineFields, trainedMachine } from '../testing/machine.js';

const seed = testSeed('scorer surprises');
const surprises = { alarmsADay: 0.1, except: [] };
const rowsADay = 288;
const faultRow = 4 * rowsADay;

async function model(): Promise<LoadedModel> {
  const { bundle } = trainedMachine();
  return { bundle, detector: await loadDetector(bundle, { engine: 'typescript', log: silentLogger }) };
}

async function scorerOf(options: Partial<ScorerOptions> = {}): Promise<Scorer> {
  return new Scorer({ models: [], log: silentLogger, surprises, ...options });
}

/** Five days of a machine at a row in five minutes; on the last its pressure is 40 higher. */
function rows(type = 'machine', fields: readonly string[] = machineFields): RecordBatch {
  const random = gaussian(seededRng(seed));
  const batch = machineBatch({ rows: 5 * rowsADay, devices: 1 });
  return {
    ...batch,
    schema: { ...batch.schema, type, fields: fields.map(name => ({ name, kind: 'float' })) },
    time: batch.time.map((_, r) => 1_700_000_000_000 + r * 300_000),
    values: fields.map(name =>
      batch.time.map((_, r) => 100 + random() + (name === 'pressure' && r >= faultRow ? 40 : 0)),
    ),
  };
}

/** Row of the first alarm by a surprise. */
const firstOf = ({ evidence }: RecordBatch) => evidence?.find(one => one.detector === 'surprise')?.at;

test('what no model looks at is watched, and no model is named for it', async () => {
  const scored = await (await scorerOf()).process(rows());
  assert.equal(firstOf(scored), faultRow, `SEED=${seed}`);
  assert.equal(scored.anomaly![faultRow], 1);
  assert.ok(scored.score![faultRow]! >= 0.5 && scored.score![faultRow]! < 1);
  assert.ok(Number.isNaN(scored.score![rowsADay - 1]!) && scored.score![2 * rowsADay]! < 0.5);
  assert.equal(scored.model, undefined);
  assert.equal(scored.quality.indexOf(1), -1, 'rules hold on the first day, too');
});

test('without the option nothing is watched; nor is a type that is left out', async () => {
  const batch = rows();
  const off = new Scorer({ models: [], log: silentLogger });
  assert.equal(await off.process(batch), batch);
  const except = await scorerOf({ surprises: { ...surprises, except: ['machine'] } });
  assert.equal(await except.process(batch), batch);
});

test('rules keep their word beside a surprise', async () => {
  const batch = rows();
  const ruled = {
    ...batch,
    anomaly: Uint8Array.from(batch.time, (_, r) => (r === 5 ? 1 : 0)),
    score: Float32Array.from(batch.time, (_, r) => (r === 5 ? 1 : Number.NaN)),
  };
  const scored = await (await scorerOf()).process(ruled);
  assert.deepEqual([scored.anomaly![5], scored.score![5]], [1, 1]);
  assert.equal(scored.anomaly![faultRow], 1);
});

test('a type with a model is left to it, and watched anew once the model is withdrawn', async () => {
  const scorer = await scorerOf({ models: [await model()] });
  const batch = rows();
  assert.equal(firstOf(await scorer.process(batch)), undefined);
  // Devices of the type that lack a field of the model are watched all the same.
  const { schema, ...fewer } = rows('machine', ['pressure', 'flow']);
  const other = { ...fewer, schema: { ...schema, devices: ['machine-9'] } };
  assert.equal(firstOf(await scorer.process(other)), faultRow);
  await scorer.drop('machine');
  const later = { ...batch, time: batch.time.map(timeMs => timeMs + 10 * 86_400_000) };
  const watched = await scorer.process(later);
  assert.equal(firstOf(watched), faultRow);
  assert.ok(Number.isNaN(watched.score![100]!), 'it learns first');
  await scorer.swap(await model());
  const latest = { ...later, time: later.time.map(timeMs => timeMs + 10 * 86_400_000) };
  assert.equal(firstOf(await scorer.process(latest)), undefined);
  await scorer.drop('machine');
  const anew = { ...latest, time: latest.time.map(timeMs => timeMs + 10 * 86_400_000) };
  const { score } = await scorer.process(sliceBatch(anew, 0, 100));
  assert.equal(score, undefined, 'what was learned before is forgotten');
});

test('over a clean stop nothing is forgotten; what is damaged is learned anew', async () => {
  const batch = rows();
  const cut = 2 * rowsADay + 17;
  const whole = await (await scorerOf()).process(batch);
  const before = await scorerOf();
  await before.process(sliceBatch(batch, 0, cut));
  const saved = await before.save();
  const nowMs = batch.time[cut]!;
  const after = await scorerOf();
  await after.load(saved, nowMs);
  const rest = await after.process(sliceBatch(batch, cut, batch.time.length));
  assert.deepEqual(rest.score, whole.score!.subarray(cut));
  assert.deepEqual(
    rest.evidence,
    whole.evidence!.map(one => ({ ...one, at: one.at - cut })),
  );
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const damaged = await scorerOf({ log });
  saved[saved.length >> 1]! ^= 1;
  await damaged.load(saved, nowMs);
  assert.match(lines.join(), /warm up/);
  assert.equal((await damaged.process(sliceBatch(batch, cut, cut + 200))).score, undefined);
});

test('of what cannot be used nothing is: also devices that were read by then learn anew', async () => {
  const batch = rows();
  const before = await scorerOf();
  await before.process(sliceBatch(batch, 0, 2 * rowsADay));
  const [memory] = unpackState(await before.save());
  const torn = { name: '["machine-2"]', newestMs: batch.time[0]!, numbers: new Float64Array(1) };
  const after = await scorerOf();
  await after.load(
    packState([{ ...memory!, devices: [...memory!.devices, torn] }]),
    batch.time[2 * rowsADay]!,
  );
  const found = await after.process(sliceBatch(batch, 2 * rowsADay, 2 * rowsADay + 100));
  assert.equal(found.score, undefined);
});
