import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RowNumbers } from '@edgeward/shared/batch';
import type { Clock, RecordBatch, Source } from '@edgeward/shared/contracts';
import { type ErrorCode, hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { sourceConformance } from '../testing/source-conformance.js';
import { loadOptional } from './optional-package.js';
import { isInjectable, simulated } from './simulated.js';

const plant = [
  { name: 'pump-1', type: 'pump' },
  { name: 'room-1', type: 'cold-room' },
  { name: 'pump-2', type: 'pump' },
];
const fixed = { startTime: '2026-01-01T06:00:00Z', time: 'simulated', seed: 7 };

describe('two types, small blocks', () => {
  sourceConformance(simulated, () => ({
    options: { ...fixed, devices: plant, batchRows: 5, lingerMs: 4000 },
    rows: 120,
    repeatsTimes: true,
  }));
});

describe('a block a beat, a scenario with faults', () => {
  sourceConformance(simulated, () => ({
    options: { devices: plant, scenario: 'mixed', stepMs: 60_000, intervalMs: 100, lingerMs: 0 },
    rows: 90,
  }));
});

function create(
  options: Record<string, unknown>,
  clock: Clock = new FakeClock({ autoAdvance: true }),
): Source {
  const config = simulated.config.parse({ devices: [{ name: 'pump-1', type: 'pump' }], ...options });
  return simulated.create(config, {
    clock,
    rows: new RowNumbers(),
    log: silentLogger,
    position: undefined,
    reject: () => {},
  });
}

/** Batches until so many rows have come; `onBatch` is what the consumer does with each. */
async function take(
  source: Source,
  rows: number,
  onBatch: (batch: RecordBatch) => Promise<void> | void = () => {},
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  let taken = 0;
  for await (const batch of source.read(new AbortController().signal)) {
    batches.push(batch);
    taken += batch.row.length;
    await onBatch(batch);
    if (taken >= rows) break;
  }
  return batches;
}

const timesOf = (batches: readonly RecordBatch[]) => batches.flatMap(batch => Array.from(batch.time));

const throwsCode = (work: () => void, code: ErrorCode) =>
  assert.throws(work, (error: unknown) => hasCode(error, code));

describe('the beat', () => {
  test('does not drift with what each poll and batch take', async () => {
    const clock = new FakeClock({ autoAdvance: true, nowMs: 0 });
    const never = new AbortController().signal;
    const source = create({ intervalMs: 1000, lingerMs: 0 }, clock);
    const times = timesOf(await take(source, 10, () => clock.sleep(333, never)));
    assert.deepEqual(
      times,
      Array.from({ length: 10 }, (_, i) => i * 1000),
    );
  });

  test('skips what it missed instead of making up for it', async () => {
    const clock = new FakeClock({ autoAdvance: true, nowMs: 0 });
    const never = new AbortController().signal;
    let batches = 0;
    const source = create({ intervalMs: 1000, lingerMs: 0 }, clock);
    const times = timesOf(await take(source, 5, () => clock.sleep(++batches === 2 ? 3500 : 0, never)));
    // 4500 is late for 4000; 2000 and 3000 are gone.
    assert.deepEqual(times, [0, 1000, 4500, 5000, 6000]);
  });

  test('a row waits for its block no longer than the linger, even between beats', async () => {
    const clock = new FakeClock({ autoAdvance: true, nowMs: 0 });
    const source = create({ intervalMs: 10_000, lingerMs: 1500 }, clock);
    const came: number[] = [];
    await take(source, 3, () => void came.push(clock.now()));
    assert.deepEqual(came, [1500, 11_500, 21_500]);
  });

  test('a full block goes at once', async () => {
    const batches = await take(create({ intervalMs: 10, lingerMs: 60_000, batchRows: 4 }), 12);
    assert.deepEqual(
      batches.map(({ row }) => row.length),
      [4, 4, 4],
    );
  });
});

describe('the plant', () => {
  test('another seed is another plant', async () => {
    const values = async (seed: number) => (await take(create({ ...fixed, seed }), 5))[0]?.values[0];
    assert.notDeepEqual(await values(1), await values(2));
  });

  test('simulated time runs by its own step', async () => {
    const times = timesOf(await take(create({ ...fixed, stepMs: 60_000, batchRows: 1 }), 3));
    const start = Date.parse(fixed.startTime);
    assert.deepEqual(times, [start, start + 60_000, start + 120_000]);
  });

  test('a gateway that is offline gives no rows for that time', async () => {
    const faults = [{ kind: 'gateway-offline', atS: 3, durationS: 5 }];
    const times = timesOf(await take(create({ ...fixed, faults, batchRows: 1 }), 6));
    const start = Date.parse(fixed.startTime);
    assert.deepEqual(
      times.map(time => (time - start) / 1000),
      [0, 1, 2, 8, 9, 10],
    );
  });
});

describe('faults on demand', () => {
  test('one that is injected acts on the next rows', async () => {
    const options = { ...fixed, devices: [{ name: 'feed-1', type: 'power-feed' }], batchRows: 1 };
    const source = create(options);
    assert.ok(isInjectable(source));
    const volts: number[] = [];
    await take(source, 12, batch => {
      const voltage = batch.schema.fields.findIndex(({ name }) => name.startsWith('voltage'));
      volts.push(Number(batch.values[voltage]?.[0]));
      if (volts.length === 4) source.inject({ kind: 'power-sag', durationS: 60, severity: 1, rampS: 0 });
    });
    const before = Math.min(...volts.slice(0, 4));
    assert.ok(Math.max(...volts.slice(8)) < 0.8 * before, volts.join(' '));
  });

  test('what cannot be is refused, and the source goes on', async () => {
    const source = create({ batchRows: 1 });
    assert.ok(isInjectable(source));
    const sag = { kind: 'power-sag', durationS: 60 } as const;
    throwsCode(() => source.inject(sag), 'EW_SOURCE_UNAVAILABLE');
    await take(source, 1);
    throwsCode(() => source.inject({ ...sag, device: 'nobody' }), 'EW_CONFIG_INVALID');
    assert.equal((await take(source, 2)).length, 2);
  });

  test('other sources take none', () => {
    assert.ok(!isInjectable({ acknowledges: false, read: simulatedRead }));
  });
});

async function* simulatedRead(): AsyncGenerator<RecordBatch, void, void> {}

test('options that cannot be', () => {
  const wrong = [
    { devices: [] },
    { devices: [plant[0], plant[0]] },
    { devices: [{ name: 'x', type: 'toaster' }] },
    { intervalMs: 0 },
    { scenario: 'doomsday' },
    { faults: [{ kind: 'leak', atS: 0 }] },
    { startTime: 'yesterday' },
    { unknown: 1 },
  ];
  assert.ok(simulated.config.safeParse({ devices: plant }).success);
  for (const options of wrong) {
    assert.ok(!simulated.config.safeParse({ devices: plant, ...options }).success, JSON.stringify(options));
  }
});

describe('an optional package', () => {
  test('that is missing is named, with what to do', async () => {
    const name: string = '@edgeward/not-installed';
    await assert.rejects(
      loadOptional(name, () => import(name)),
      (error: unknown) =>
        hasCode(error, 'EW_PACKAGE_MISSING') && error.message.includes('npm install @edgeward/not-installed'),
    );
  });

  test('that is broken says so itself', async () => {
    const broken = () => Promise.reject(new SyntaxError('unexpected token'));
    await assert.rejects(loadOptional('x', broken), SyntaxError);
    const other: string = '@edgeward/not-installed';
    await assert.rejects(
      loadOptional('x', () => import(other)),
      (error: unknown) => !hasCode(error, 'EW_PACKAGE_MISSING'),
    );
  });
});
