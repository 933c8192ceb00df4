import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { pino } from 'pino';
import { type Bundle, createBundle } from './bundle.js';
import { loadDetector } from './engines.js';
import { Scorer } from './scorer.js';
import { packState, unpackState } from './scorer-state.js';
import { sliceBatch } from './slice-batch.js';
import { trainChannelBundle } from './stream/channel-bundle.js';
import { machineBatch, trainedMachine } from './testing/machine.js';

const seed = testSeed('scorer state');
const forest = trainedMachine().bundle;
const channels = trainChannelBundle(
  { batch: withMore(machineBatch({ rows: 6000 }), 1), skippedRows: 0 },
  {
    name: 'machine',
    source: 'made up for tests',
    seed: 1,
    trees: 30,
    samples: 256,
    alarmsADay: 0.1,
    holdRows: 3,
  },
);
const rows = disturbed(withMore(machineBatch({ rows: 500, seed }), seed));
const newestMs = rows.time.reduce((a, b) => Math.max(a, b));

/** Beside channels that come and go: two that stay near their level and a counter. */
function withMore(batch: RecordBatch, from: number): RecordBatch {
  const random = gaussian(seededRng(from));
  const energy = new Float64Array(2).fill(1e6);
  const more = {
    vibration: batch.time.map(() => 3 + 0.1 * random()),
    voltage: batch.time.map(() => 230 + random()),
    energy: batch.time.map((_, i) => {
      energy[i % 2]! += 3 + 0.3 * random();
      return energy[i % 2]!;
    }),
  };
  const fields = Object.keys(more).map(name => ({ name, kind: 'float' as const }));
  return {
    ...batch,
    schema: { ...batch.schema, fields: [...batch.schema.fields, ...fields] },
    values: [...batch.values, ...Object.values(more)],
  };
}

/**
 * Faults that come, go halfway and then wholly; rows that come late; values that are missing; and a silence that is
 * too long for what was before to count.
 */
function disturbed(batch: RecordBatch): RecordBatch {
  const random = seededRng(seed);
  const time = batch.time.map((timeMs, i) => (i < 800 ? timeMs : timeMs + 86_400_000));
  for (let i = 2; i < time.length; i++) {
    if (random() < 0.03) time[i]! -= 3 * 2000;
    const phase = (i % 240) / 240;
    const fault = phase < 0.5 ? 0 : phase < 0.65 ? 1 : phase < 0.85 ? 0.4 : 0;
    (batch.values[1] as Float64Array)[i]! -= 6 * fault;
    (batch.values[3] as Float64Array)[i]! += 2 * fault;
    for (const column of batch.values) if (random() < 0.1) (column as Float64Array)[i] = Number.NaN;
  }
  return { ...batch, time };
}

async function scorerOf(bundle: Bundle, lines: string[] = []): Promise<Scorer> {
  const detector = await loadDetector(bundle, { engine: 'typescript', log: silentLogger });
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  return new Scorer({ models: [{ bundle, detector }], log });
}

/** What each row was found to be, in batches of any size. */
async function scored(scorer: Scorer, from: number, to: number, random: () => number): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + 1 + Math.floor(40 * random()));
    const batch = await scorer.process(sliceBatch(rows, at, end));
    for (let r = 0; r < batch.time.length; r++) {
      const reasons = batch.evidence?.filter(one => one.at === r).map(one => ({ ...one, at: at + r }));
      found.push([batch.score![r], batch.anomaly![r], batch.quality[r], reasons ?? []]);
    }
    at = end;
  }
  return found;
}

async function savedAt(bundle: Bundle, cut: number): Promise<Uint8Array> {
  const scorer = await scorerOf(bundle);
  await scored(scorer, 0, cut, () => 1);
  return scorer.save();
}

const isWarmUp = (found: unknown) => ((found as number[])[2]! & Quality.warmUp) !== 0;

for (const [name, bundle] of [
  ['channels', channels],
  ['a forest over features', forest],
] as const)
  describe(`a model of ${name}`, () => {
    test('after load, rows are judged as if there had been no stop, wherever it was', async () => {
      const whole = await scored(await scorerOf(bundle), 0, 1000, () => 1);
      assert.ok(whole.some(found => (found as number[])[1] === 1));
      const random = seededRng(seed + 1);
      for (let round = 0; round < 30; round++) {
        const cut = Math.floor(random() * 1000);
        const before = await scorerOf(bundle);
        await scored(before, 0, cut, random);
        const lines: string[] = [];
        const after = await scorerOf(bundle, lines);
        await after.load(await before.save(), newestMs);
        assert.deepEqual(
          await scored(after, cut, 1000, random),
          whole.slice(cut),
          `cut ${cut}, SEED=${seed}`,
        );
        assert.deepEqual(lines, []);
      }
    });

    test('a device that was silent for too long warms up again', async () => {
      const scorer = await scorerOf(bundle);
      await scorer.load(await savedAt(bundle, 800), newestMs);
      const found = await scored(scorer, 800, 1000, () => 1);
      assert.ok(isWarmUp(found[0]) && isWarmUp(found[1]));
      assert.ok(!isWarmUp(found.at(-1)));
    });

    test('a device whose newest row is far ahead of the clock warms up: its rows are not held for late ones', async () => {
      const [saved, scorer] = [await savedAt(bundle, 700), await scorerOf(bundle)];
      await scorer.load(saved, rows.time[0]! - 86_400_000);
      assert.ok(isWarmUp((await scored(scorer, 0, 2, () => 1))[0]));
    });

    test('what is cut short, altered or of something else is logged once and not used', async () => {
      const saved = await savedAt(bundle, 700);
      const random = seededRng(seed + 2);
      const altered = (at: number) => saved.map((byte, i) => (i === at ? byte ^ 1 : byte));
      const models = unpackState(saved);
      const [device] = models[0]!.devices;
      const withNumbers = (numbers: Float64Array) =>
        packState([{ ...models[0]!, devices: [{ ...device!, numbers }] }]);
      const bad = [
        new Uint8Array(0),
        saved.slice(0, 15),
        saved.slice(0, Math.floor(random() * saved.length)),
        saved.slice(0, -8),
        Uint8Array.from([...saved, ...new Uint8Array(8)]),
        altered(Math.floor(random() * saved.length)),
        altered(0),
        withNumbers(device!.numbers.slice(1)),
        withNumbers(Float64Array.from([...device!.numbers, 0])),
        withNumbers(device!.numbers.map(() => -1)),
        packState(models.map(model => ({ ...model, revision: 'another' }))),
        packState(models.map(model => ({ ...model, type: 'another' }))),
      ];
      const fresh = await scored(await scorerOf(bundle), 700, 760, () => 1);
      assert.ok(isWarmUp(fresh[0]));
      for (const [i, bytes] of bad.entries()) {
        const lines: string[] = [];
        const scorer = await scorerOf(bundle, lines);
        await scorer.load(bytes, newestMs);
        assert.deepEqual(lines.length, 1, `${i}: ${lines}, SEED=${seed}`);
        assert.match(lines[0]!, /devices warm up: /);
        assert.deepEqual(await scored(scorer, 700, 760, () => 1), fresh, `${i}, SEED=${seed}`);
      }
    });
  });

test('what is saved is bounded by the devices, not by how long they have been seen', async () => {
  for (const bundle of [channels, forest]) {
    const [early, late] = [await savedAt(bundle, 40), await savedAt(bundle, 1000)];
    assert.equal(early.length, late.length);
    // Two devices with six channels, or three.
    assert.ok(late.length < 8192, `${late.length} bytes`);
  }
});

test('another revision of the same type warms its devices up', async () => {
  const { card, golden } = forest;
  const { format: _, revision: __, modelSha256: ___, ...draft } = card;
  const other = createBundle({ ...draft, threshold: card.threshold + 0.01 }, forest.forest, golden);
  const lines: string[] = [];
  const scorer = await scorerOf(other, lines);
  await scorer.load(await savedAt(forest, 700), newestMs);
  assert.equal(lines.length, 1);
  assert.ok(isWarmUp((await scored(scorer, 700, 702, () => 1))[0]));
});
