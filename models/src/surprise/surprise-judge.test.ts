import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Evidence, Field, RecordBatch } from '@edgeward/shared/contracts';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { sliceBatch } from '../slice-batch.js';
import { SurpriseJudge } from './surprise-judge.js';

const seed = testSeed('surprise');
const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 5);
const slowMs = 300_000;
const fastMs = 10_000;

type Series = (timeMs: number, row: number) => number;
type Noise = () => number;

const noise = (stream: number): Noise => gaussian(seededRng(seed + stream));
const white =
  (random: Noise): Series =>
  () =>
    50 + random();
const daily =
  (random: Noise): Series =>
  timeMs =>
    50 + 20 * Math.sin((2 * Math.PI * timeMs) / dayMs) + random();
/** Each value is 99 % of the one before. */
const lasting = (random: Noise): Series => {
  let value = 0;
  return () => {
    value = 0.99 * value + random();
    return 50 + value;
  };
};

interface Rows {
  readonly days: number;
  readonly stepMs?: number;
  readonly devices?: readonly string[];
  readonly fields: Readonly<Record<string, Series>>;
  readonly kind?: Field['kind'];
}

/** Rows of all devices in turn; each field is one series over all of them. */
function rowsOf({ days, stepMs = slowMs, devices = ['probe-1'], fields, kind = 'float' }: Rows): RecordBatch {
  const steps = Math.round((days * dayMs) / stepMs);
  const n = steps * devices.length;
  const time = Float64Array.from({ length: n }, (_, i) => startMs + Math.floor(i / devices.length) * stepMs);
  return {
    schema: { type: 'probe', fields: Object.keys(fields).map(name => ({ name, kind })), devices },
    time,
    device: Uint16Array.from({ length: n }, (_, i) => i % devices.length),
    row: Float64Array.from({ length: n }, (_, i) => Math.floor(i / devices.length) + 1),
    values: Object.values(fields).map(series => time.map((timeMs, i) => series(timeMs, i))),
    quality: new Uint16Array(n),
  };
}

interface Alarm {
  readonly afterMs: number;
  readonly rows: number;
  readonly evidence: readonly Evidence[];
}

/** Flagged stretches of a batch of one device. */
function alarmsIn(batch: RecordBatch, judge = new SurpriseJudge({ alarmsADay: 0.1 })): Alarm[] {
  const judgement = judge.judge(batch);
  const alarms: Alarm[] = [];
  for (let r = 0; judgement && r < batch.time.length; r++) {
    assert.equal(judgement.anomaly[r] === 1, judgement.score[r]! >= 0.5, `score and flag of row ${r}`);
    if (judgement.anomaly[r] !== 1 || judgement.anomaly[r - 1] === 1) continue;
    const past = judgement.anomaly.indexOf(0, r);
    const end = past < 0 ? batch.time.length : past;
    const evidence = judgement.evidence.filter(({ at }) => at >= r && at < end);
    alarms.push({ afterMs: batch.time[r]! - startMs, rows: end - r, evidence });
  }
  return alarms;
}

/** From a time on, something is added. */
function fault(series: Series, fromDay: number, change: (value: number, sinceMs: number) => number): Series {
  return (timeMs, row) => {
    const sinceMs = timeMs - startMs - fromDay * dayMs;
    const value = series(timeMs, row);
    return sinceMs < 0 ? value : change(value, sinceMs);
  };
}

test('usual data raises about as many alarms as the budget allows, or fewer', () => {
  const kinds = [white, daily, lasting];
  const count = kinds.flatMap((kind, k) =>
    [0, 1, 2].map(device => {
      const fields = Object.fromEntries(
        [0, 1, 2, 3].map(f => [`f${f}`, kind(noise(100 * k + 10 * device + f))]),
      );
      return alarmsIn(rowsOf({ days: 31, fields })).length;
    }),
  );
  const sum = count.reduce((a, b) => a + b, 0);
  // 270 days at 0.1.
  assert.ok(sum <= 40, `${sum} alarms: ${count.join()}, SEED=${seed}`);
  const fast = { a: daily(noise(1)), b: lasting(noise(2)), c: white(noise(3)) };
  assert.ok(alarmsIn(rowsOf({ days: 8, stepMs: fastMs, fields: fast })).length <= 2, `SEED=${seed}`);
});

test('a smaller budget gives fewer alarms', () => {
  const batch = rowsOf({ days: 60, fields: { f: lasting(noise(7)), g: white(noise(8)) } });
  const count = (alarmsADay: number) => alarmsIn(batch, new SurpriseJudge({ alarmsADay })).length;
  assert.ok(count(0.02) <= count(1) - 3, `${count(0.02)} and ${count(1)}, SEED=${seed}`);
});

test('a field that is often surprising has to be more so than it often is', () => {
  const walk = (random: Noise): Series => {
    let value = 0;
    return () => {
      value += random();
      return value;
    };
  };
  const count = [0, 1, 2, 3].map(
    f => alarmsIn(rowsOf({ days: 60, fields: { f: walk(noise(200 + f)) } })).length,
  );
  const sum = count.reduce((a, b) => a + b, 0);
  // 240 days at 0.1.
  assert.ok(sum <= 24, `${sum} alarms: ${count.join()}, SEED=${seed}`);
});

for (const [what, stepMs, series, change, soonMs, rows] of [
  ['a step of a slow field', slowMs, white, (value: number) => value + 6, 3_600_000, 1],
  ['a step beside a daily rhythm', slowMs, daily, (value: number) => value + 15, 3_600_000, 1],
  [
    'a single value far out',
    slowMs,
    white,
    (value: number, ms: number) => value + (ms < slowMs ? 25 : 0),
    0,
    1,
  ],
  ['a slow drift', slowMs, white, (value: number, ms: number) => value + ms / 3_600_000, 12 * 3_600_000, 1],
  ['a small step of a fast field', fastMs, white, (value: number) => value + 2, 600_000, 30],
  [
    'ten minutes of a fast field',
    fastMs,
    daily,
    (v: number, ms: number) => v + (ms < 600_000 ? 10 : 0),
    600_000,
    30,
  ],
] as const)
  test(`${what} is one alarm, with its reason`, () => {
    const days = 6;
    const temperature = fault(series(noise(20)), days, change);
    const batch = rowsOf({ days: days + 0.6, stepMs, fields: { temperature, other: white(noise(21)) } });
    const found = alarmsIn(batch).filter(({ afterMs }) => afterMs >= days * dayMs);
    const [first] = found;
    assert.ok(first, `nothing found, SEED=${seed}`);
    assert.ok(first.afterMs - days * dayMs <= soonMs, `after ${first.afterMs / 60_000} min, SEED=${seed}`);
    // While it grows it may become twice as unusual.
    assert.ok(found.length <= 2, `${found.length} alarms, SEED=${seed}`);
    assert.ok(first.rows >= rows && first.rows % rows === 0, `${first.rows} rows`);
    const { detector, threshold, source, channels } = first.evidence[0]!;
    assert.deepEqual([detector, threshold], ['surprise', 0.5]);
    assert.match(source, /, past 6 days$/);
    const [channel] = channels;
    assert.equal(channel?.field, 'temperature');
    assert.equal(channel.direction, 'high');
    assert.ok(channel.value! > channel.expected![1] && channel.expected![0] < channel.expected![1]);
  });

test('the first day is only learned from, and learning says nothing', () => {
  const batch = rowsOf({ days: 0.99, fields: { f: fault(white(noise(30)), 0.9, value => value + 50) } });
  assert.equal(new SurpriseJudge({ alarmsADay: 0.1 }).judge(batch), undefined);
});

test('constants, states, flags and texts surprise nobody', () => {
  const random = seededRng(seed);
  const fields = {
    constant: () => 7,
    state: (_: number, row: number) => (row % 400 < 390 ? 3 : Math.floor(10 * random())),
    once: (timeMs: number) => (timeMs < startMs + 5 * dayMs ? 0 : 1000),
  };
  assert.equal(new SurpriseJudge({ alarmsADay: 100 }).judge(rowsOf({ days: 9, fields })), undefined);
  const flags = rowsOf({ days: 9, fields: { flag: white(noise(1)) }, kind: 'bool' });
  assert.equal(new SurpriseJudge({ alarmsADay: 100 }).judge(flags), undefined);
});

test('a counter is looked at by its rate: counting on and beginning anew are usual, standing still is not', () => {
  const random = noise(40);
  const counter = (day: number, change: (rise: number) => number): Series => {
    let [sum, last] = [1e6, 0];
    return timeMs => {
      const rise = 5 + 0.5 * random();
      sum += timeMs < startMs + day * dayMs ? rise : change(rise);
      // Once it is full, it begins anew.
      if (timeMs - last > 4 * dayMs && last > 0) sum = 0;
      if (sum === 0 || last === 0) last = timeMs;
      return sum;
    };
  };
  const usual = alarmsIn(rowsOf({ days: 14, fields: { energy: counter(99, rise => rise) } }));
  assert.ok(usual.length <= 3, `${usual.length} alarms, SEED=${seed}`);
  const found = alarmsIn(rowsOf({ days: 7, fields: { energy: counter(6, () => 0) } }));
  const stopped = found.find(({ afterMs }) => afterMs >= 6 * dayMs);
  assert.ok(stopped && stopped.afterMs < 6.1 * dayMs, `SEED=${seed}`);
  const [channel] = stopped.evidence[0]!.channels;
  assert.match(channel!.of!, /rate\(energy\)/);
  assert.equal(channel!.direction, 'low');
});

/** Missing values, late rows, a silence, a clock that is set back, and faults; fast and slow fields of two devices. */
function disturbed(): RecordBatch {
  const random = seededRng(seed + 1);
  let sum = 0;
  const batch = rowsOf({
    days: 5,
    stepMs: 60_000,
    devices: ['probe-1', 'probe-2'],
    fields: {
      fast: fault(daily(noise(50)), 3, (value, ms) => value + (ms < 7_200_000 ? 30 : 0)),
      slow: fault(white(noise(51)), 4, value => value + 9),
      energy: () => {
        sum += random();
        return sum;
      },
    },
  });
  const time = batch.time.map((timeMs, i) => {
    if (random() < 0.02) return timeMs - 200_000;
    const n = batch.time.length;
    return i < 0.5 * n ? timeMs : i < 0.9 * n ? timeMs + 6 * 3_600_000 : timeMs - 2 * 3_600_000;
  });
  const [fast, slow] = batch.values as Float64Array[];
  for (let i = 0; i < time.length; i++) {
    if (random() < 0.05) fast![i] = Number.NaN;
    if (Math.floor(i / 2) % 10 !== 0) slow![i] = Number.NaN;
  }
  return { ...batch, time };
}

interface Said {
  readonly rows: unknown[];
  readonly judge: SurpriseJudge;
}

/** What is said of each row, in batches of any size. */
function said(batch: RecordBatch, cuts: () => number, judge = new SurpriseJudge({ alarmsADay: 0.1 })): Said {
  const rows: unknown[] = [];
  for (let at = 0; at < batch.time.length; ) {
    const end = Math.min(batch.time.length, at + cuts());
    const found = judge.judge(sliceBatch(batch, at, end));
    for (let r = at; r < end; r++) {
      const reasons = found?.evidence.filter(one => one.at === r - at).map(one => ({ ...one, at: r })) ?? [];
      rows.push([found?.score[r - at] ?? Number.NaN, found?.anomaly[r - at] ?? 0, reasons]);
    }
    at = end;
  }
  return { rows, judge };
}

test('what is said of a row depends on it and earlier ones, and not on how rows are cut into batches', () => {
  const batch = disturbed();
  const n = batch.time.length;
  const whole = said(batch, () => n).rows;
  assert.ok(whole.some(row => (row as unknown[])[1] === 1));
  const random = seededRng(seed + 2);
  const cut = () => 1 + Math.floor(300 * random() ** 4);
  assert.deepEqual(said(batch, cut).rows, whole);
  const half = Math.floor(n * (0.6 + 0.3 * random()));
  assert.deepEqual(said(sliceBatch(batch, 0, half), cut).rows, whole.slice(0, half));
});

test('saved at any row and loaded, it goes on as if nothing had been', () => {
  const batch = disturbed();
  const n = batch.time.length;
  const whole = said(batch, () => n).rows;
  const inAlarm = whole.findIndex(row => (row as unknown[])[1] === 1);
  for (const at of [10, Math.floor(0.3 * n), inAlarm + 1, Math.floor(0.95 * n)]) {
    const before = said(sliceBatch(batch, 0, at), () => 500);
    const judge = new SurpriseJudge({ alarmsADay: 0.1 });
    for (const memory of before.judge.save()) judge.load(memory, batch.time[at]! + 12 * 3_600_000);
    const after = said(sliceBatch(batch, at, n), () => 500, judge).rows;
    const shifted = whole.slice(at).map(row => {
      const [score, flag, reasons] = row as [number, number, Evidence[]];
      return [score, flag, reasons.map(one => ({ ...one, at: one.at - at }))];
    });
    assert.deepEqual(after, shifted, `cut at ${at}`);
  }
});

test('what keeps a field from being judged, and the quiet after an alarm, outlive a restart', () => {
  const random = seededRng(seed + 3);
  const states = rowsOf({ days: 4, fields: { state: () => 0.5 + Math.floor(4 * random()) } });
  const spikes = rowsOf({
    days: 4,
    fields: { f: fault(white(noise(61)), 3, (v, ms) => (ms === 0 || ms === 60 * slowMs ? v + 25 : v)) },
  });
  const restarted = (batch: RecordBatch, at: number) => {
    const judge = new SurpriseJudge({ alarmsADay: 0.1 });
    const { judge: before } = said(sliceBatch(batch, 0, at), () => 500);
    for (const memory of before.save()) judge.load(memory, startMs + 4 * dayMs);
    return judge.judge(sliceBatch(batch, at, batch.time.length));
  };
  assert.equal(restarted(states, 100), undefined);
  const spikeAt = (3 * dayMs) / slowMs;
  const alarms = (at: number) => restarted(spikes, at)!.anomaly.reduce((a, b) => a + b, 0);
  assert.equal(alarms(spikeAt), 1, `SEED=${seed}`);
  assert.equal(alarms(spikeAt + 30), 0, `SEED=${seed}`);
});

test('late rows are not judged, and change nothing of what is said of others', () => {
  const batch = rowsOf({ days: 4, fields: { f: fault(white(noise(62)), 3, value => value + 25) } });
  const isLate = (i: number) => i % 100 === 50;
  const withLate = {
    ...batch,
    time: batch.time.map((timeMs, i) => (isLate(i) ? timeMs - dayMs / 2 : timeMs)),
    values: [(batch.values[0] as Float64Array).map((value, i) => (isLate(i) ? 1e6 : value))],
  };
  const others = batch.time.map((_, i) => i).filter(i => !isLate(i));
  const found = said(withLate, () => 500).rows as [number, number, Evidence[]][];
  const without = {
    ...batch,
    time: batch.time.filter((_, i) => !isLate(i)),
    device: batch.device.filter((_, i) => !isLate(i)),
    row: batch.row.filter((_, i) => !isLate(i)),
    values: [(batch.values[0] as Float64Array).filter((_, i) => !isLate(i))],
    quality: batch.quality.filter((_, i) => !isLate(i)),
  };
  const expected = said(without, () => 500).rows as [number, number, Evidence[]][];
  const scores = (rows: [number, number, Evidence[]][]) => rows.map(([score, flag]) => [score, flag]);
  const kept: [number, number, Evidence[]][] = [];
  for (const i of others) kept.push(found[i]!);
  assert.deepEqual(scores(kept), scores(expected));
  assert.ok(expected.some(([, flag]) => flag === 1));
  assert.ok(found.every(([score], i) => !isLate(i) || Number.isNaN(score)));
});

test('the alarm of a slow field is of one row, whatever else comes of its device', () => {
  const batch = rowsOf({
    days: 4,
    stepMs: 60_000,
    fields: {
      slow: fault(white(noise(63)), 3, (v, ms) => (ms < 600_000 ? v + 30 : v)),
      fast: white(noise(64)),
    },
  });
  const slow = batch.values[0] as Float64Array;
  for (let i = 0; i < slow.length; i++) if (i % 10 !== 0) slow[i] = Number.NaN;
  const found = alarmsIn(batch).filter(
    ({ afterMs }) => afterMs >= 3 * dayMs && afterMs < 3 * dayMs + 600_000,
  );
  assert.deepEqual(
    found.map(({ afterMs, rows }) => [afterMs, rows]),
    [[3 * dayMs, 1]],
    `SEED=${seed}`,
  );
});

test('a mean of few values is left out', () => {
  const fields = { f: white(noise(65)) };
  const batch = rowsOf({ days: 4, stepMs: fastMs, fields });
  const values = batch.values[0] as Float64Array;
  const from = (3 * dayMs) / fastMs;
  // One value of thirty, which is no rare one.
  values.fill(Number.NaN, from, from + 30);
  values[from + 7] = 53;
  const found = alarmsIn(batch).filter(({ afterMs }) => afterMs >= 3 * dayMs && afterMs < 3.02 * dayMs);
  assert.deepEqual(found, [], `SEED=${seed}`);
});

test('what was saved of devices that are long silent, far ahead or no longer watched is left out', () => {
  const { judge } = said(rowsOf({ days: 2, fields: { f: white(noise(60)) } }), () => 500);
  const [memory] = judge.save();
  assert.equal(memory!.devices.length, 2);
  const endMs = startMs + 2 * dayMs;
  const devicesAt = (nowMs: number, except: readonly string[] = []) => {
    const other = new SurpriseJudge({ alarmsADay: 0.1, except });
    other.load(memory!, nowMs);
    return other.save().flatMap(({ devices }) => devices).length;
  };
  assert.equal(devicesAt(endMs + dayMs), 2);
  assert.equal(devicesAt(endMs + 40 * dayMs), 0);
  assert.equal(devicesAt(endMs - dayMs), 0);
  assert.equal(devicesAt(endMs, ['probe']), 0);
  const torn = {
    ...memory!,
    devices: memory!.devices.map(one => ({ ...one, numbers: one.numbers.slice(1) })),
  };
  assert.throws(() => new SurpriseJudge({ alarmsADay: 0.1 }).load(torn, endMs), RangeError);
});

test('there is room for so many fields, which is told once; a type that is forgotten makes room', () => {
  const told: string[] = [];
  const judge = new SurpriseJudge({ alarmsADay: 0.1, maxFields: 3, onFull: device => told.push(device) });
  const devices = ['probe-1', 'probe-2', 'probe-3'];
  const batch = rowsOf({ days: 0.1, devices, fields: { a: white(noise(1)), b: white(noise(2)) } });
  judge.judge(batch);
  judge.judge({ ...batch, schema: { ...batch.schema } });
  assert.deepEqual(told, ['probe-2']);
  const fields = () =>
    judge.save().flatMap(({ devices }) => devices.filter(({ name }) => name.includes(',')));
  assert.equal(fields().length, 3);
  judge.forget('probe');
  assert.equal(fields().length, 0);
  judge.judge(sliceBatch(batch, 0, 3));
  assert.equal(fields().length, 3);
});

test('types can be left out, or be the only ones', () => {
  const batch = rowsOf({ days: 3, fields: { f: fault(white(noise(70)), 2, value => value + 50) } });
  const found = (options: { deviceTypes?: string[]; except?: string[] }) =>
    new SurpriseJudge({ alarmsADay: 0.1, ...options }).judge(batch) !== undefined;
  assert.ok(found({}) && found({ deviceTypes: ['probe'] }) && found({ except: ['other'] }));
  assert.ok(!found({ deviceTypes: ['other'] }) && !found({ except: ['probe'] }));
});
