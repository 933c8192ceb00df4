import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Evidence, RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import type { Bundle } from '../bundle.js';
import { loadDetector } from '../engines.js';
import { Scorer } from '../scorer.js';
import { sliceBatch } from '../slice-batch.js';
import { cyclingBatch } from '../testing/cycling-machine.js';
import { type Method, methods, type TableTrainingOptions, trainTable } from '../train-table.js';

const seed = testSeed('switching judge');
const table = { batch: cyclingBatch({ rows: 15_000, seed: 1 }), skippedRows: 0 };
const options = { name: 'cooler', source: 'made up for tests', trees: 30 };
const bundleOf = (method: Method, more: Partial<TableTrainingOptions> = {}) =>
  trainTable(table, { ...options, ...more, method }).bundle;
/** A fault whose current lies between that of a stopped machine and that of a running one, row 3000 to 4500. */
const weak = { from: 3000, to: 4500, share: 0.8 };
const faulty = cyclingBatch({ rows: 6000, devices: 1, seed: 91, weak });

async function scorerOf(bundle: Bundle): Promise<Scorer> {
  const detector = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
  return new Scorer({ models: [{ bundle, detector }], log: silentLogger });
}

/** In batches of so many rows: of each, some are explained. */
async function scored(bundle: Bundle, batch: RecordBatch, rows = 250): Promise<RecordBatch> {
  await using scorer = await scorerOf(bundle);
  const found = { score: [] as number[], anomaly: [] as number[], evidence: [] as Evidence[] };
  for (let from = 0; from < batch.time.length; from += rows) {
    const part = sliceBatch(batch, from, Math.min(batch.time.length, from + rows));
    const { score, anomaly, evidence = [] } = await scorer.process(part);
    found.score.push(...score!);
    found.anomaly.push(...anomaly!);
    found.evidence.push(...evidence.map(one => ({ ...one, at: one.at + from })));
  }
  const { score, anomaly, evidence } = found;
  return { ...batch, score: Float32Array.from(score), anomaly: Uint8Array.from(anomaly), evidence };
}

function flagged({ anomaly }: RecordBatch): number[] {
  return [...anomaly!.keys()].filter(r => anomaly![r] === 1);
}

for (const method of methods)
  describe(`beside the method ${method}`, () => {
    const bundle = bundleOf(method);
    const without = bundleOf(method, { switching: false });

    test('a fault that only shows while the machine is on is found, and explained by that', async () => {
      const judged = await scored(bundle, faulty);
      const rows = flagged(judged);
      const [first = Number.NaN] = rows;
      assert.ok(first >= weak.from && first < weak.from + 700, `first ${first}`);
      const evidence = judged.evidence!.find(({ at }) => at === first) ?? assert.fail('not explained');
      assert.ok(evidence.score >= evidence.threshold);
      assert.ok(Math.abs(judged.score![first]! - evidence.score) < 1e-4);
      assert.ok(
        evidence.channels.some(({ of, direction }) => of === 'current while on' && direction === 'low'),
      );
      // A current that is too low and outside air that is too warm look alike to begin with.
      const { channels } = judged.evidence!.findLast(({ at }) => at < weak.to)!;
      const [main] = channels;
      assert.equal(main?.of, 'current while on');
      assert.equal(main.direction, 'low');
      assert.ok(
        main.value! > 2.5 && main.value! < main.expected![0] && main.expected![0] < 4.5,
        'in amperes',
      );
      const sum = channels.reduce((total, { weight }) => total + weight, 0);
      assert.ok(main.weight > 0.5 && sum > 0.9 && sum < 1.001, `weights ${main.weight}, together ${sum}`);
    });

    test('it is over once the machine has run well again', async () => {
      const rows = flagged(await scored(bundle, faulty));
      assert.ok(
        rows.some(r => r > weak.to - 200 && r < weak.to),
        'it lasts, also while the machine is off',
      );
      assert.ok(rows.at(-1)! < weak.to + 1000, `last ${rows.at(-1)}`);
    });

    test('what is usual is judged as it is without', async () => {
      const usual = cyclingBatch({ rows: 4000, seed: 92 });
      const [judged, plain] = [await scored(bundle, usual), await scored(without, usual)];
      assert.deepEqual(flagged(judged), flagged(plain));
      assert.deepEqual(judged.score, plain.score);
      assert.equal(without.card.switching, undefined);
      assert.notEqual(bundle.card.revision, without.card.revision);
    });

    test('the same is said however rows are cut, and after a stop', async () => {
      const random = seededRng(seed);
      const whole = await scored(bundle, faulty);
      let scorer = await scorerOf(bundle);
      const found = { score: [] as number[], anomaly: [] as number[], evidence: [] as Evidence[] };
      for (let from = 0; from < faulty.time.length; ) {
        const to = Math.min(faulty.time.length, from + 1 + Math.floor(600 * random()));
        const { score, anomaly, evidence = [] } = await scorer.process(sliceBatch(faulty, from, to));
        found.score.push(...score!);
        found.anomaly.push(...anomaly!);
        // At most so many rows of a batch are explained: those that the switch decides are compared.
        found.evidence.push(...evidence.filter(isOfState).map(one => ({ ...one, at: one.at + from })));
        from = to;
        const saved = await scorer.save();
        await scorer[Symbol.asyncDispose]();
        scorer = await scorerOf(bundle);
        await scorer.load(saved, faulty.time.at(-1)!);
      }
      await scorer[Symbol.asyncDispose]();
      assert.deepEqual(Float32Array.from(found.score), whole.score, `SEED=${seed}`);
      assert.deepEqual(Uint8Array.from(found.anomaly), whole.anomaly, `SEED=${seed}`);
      const inBoth = (own: readonly Evidence[], others: readonly Evidence[]) =>
        own.filter(one => isOfState(one) && others.some(({ at }) => at === one.at));
      const common = inBoth(found.evidence, whole.evidence!);
      assert.ok(common.length > 20, `${common.length} rows explained in both, SEED=${seed}`);
      assert.deepEqual(common, inBoth(whole.evidence!, found.evidence), `SEED=${seed}`);
    });
  });

describe('of rows as they really come', () => {
  const bundle = bundleOf('forest');

  test('a device that was silent for long is learned anew before it is judged', async () => {
    const gap = 3200;
    const time = faulty.time.map((timeMs, r) => (r < gap ? timeMs : timeMs + 86_400_000));
    const rows = flagged(await scored(bundle, { ...faulty, time })).filter(r => r >= gap);
    const on = [...faulty.time.keys()].filter(r => r >= gap && Number(faulty.values[3]![r]) > 2);
    assert.ok(rows[0]! > on[0]! + 15, `${rows[0]} is after it has been on for a while, from ${on[0]}`);
  });

  test('while nobody knows whether it is on, nothing is said of it', async () => {
    const usual = cyclingBatch({ rows: 4000, seed: 93, devices: 1 });
    const unknown = Uint8Array.from(usual.time, (_, r) => (r > 1000 && r < 3000 ? Quality.missing : 0));
    const fieldQuality = usual.values.map((_, c) => (c === 3 ? unknown : undefined));
    const states = (await scored(bundle, { ...usual, fieldQuality })).evidence ?? [];
    assert.deepEqual(states.filter(isOfState), []);
  });

  test('a row of before a fault is not in alarm because the machine is now', async () => {
    const late = { from: 4000, rows: 20 };
    const rowsMs = faulty.time.map((timeMs, r) =>
      r >= late.from && r < late.from + late.rows ? faulty.time[r - 2000]! : timeMs,
    );
    const values = faulty.values.map(column =>
      Float64Array.from(column as Float64Array, (value, r) =>
        r >= late.from && r < late.from + late.rows ? Number(column[r - 2000]) : value,
      ),
    );
    const rows = flagged(await scored(bundle, { ...faulty, time: rowsMs, values }));
    const isAfter = (r: number) => r >= late.from + late.rows && r < 4500;
    assert.ok(rows.includes(late.from - 1) && rows.some(isAfter), 'the fault is found');
    assert.deepEqual(
      rows.filter(r => r >= late.from && r < late.from + late.rows),
      [],
    );
  });

  test('of a batch in alarm, only some rows are explained', async () => {
    const judged = await scored(bundle, faulty, faulty.time.length);
    assert.ok(flagged(judged).length > 500);
    const own = judged.evidence!.filter(isOfState);
    assert.equal(own.length, 16);
  });

  test('values that are missing are no fault, nor are late rows', async () => {
    const random = seededRng(seed);
    const usual = cyclingBatch({ rows: 4000, seed: 93, devices: 1 });
    const time = usual.time.map(timeMs => (random() < 0.03 ? timeMs - 30_000 : timeMs));
    const fieldQuality = usual.values.map(column =>
      Uint8Array.from({ length: column.length }, () => (random() < 0.2 ? Quality.missing : 0)),
    );
    assert.deepEqual(flagged(await scored(bundle, { ...usual, time, fieldQuality })), [], `SEED=${seed}`);
  });
});

function isOfState({ channels }: Evidence): boolean {
  return channels.some(({ of }) => of !== undefined);
}
