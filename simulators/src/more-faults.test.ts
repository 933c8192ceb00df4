/** Faults that differ from their neighbours in time, course or strength rather than in which channels move. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDistractor } from './faults.js';
import { type DeviceType, type FaultKind, Plant, type ScheduledFault } from './plant.js';
import { compare, configOf, mean, record, type Track } from './testing/runs.js';

/** Each process fault with the channel that shows it best, and a time at which it does. */
const tellers: readonly (readonly [FaultKind, DeviceType, string, number])[] = [
  ['suction-blocked', 'pump', 'suctionPressure', 600],
  ['misaligned', 'pump', 'vibration', 300],
  ['cooling-lost', 'pump', 'motorTemperature', 1200],
  ['fan-failed', 'cold-room', 'evaporatorTemperature', 7200],
  ['condenser-fouled', 'cold-room', 'compressorCurrent', 1800],
  ['overload', 'power-feed', 'current', 300],
  ['capacitor-failed', 'power-feed', 'powerFactor', 300],
];

for (const [kind, type, field, forS] of tellers)
  test(`${kind} acts the more the more severe it is, without jumps`, () => {
    const config = configOf([type], { stepMs: 10_000 });
    const means = [0, 0.001, 0.2, 0.4, 0.6, 0.8, 1].map(severity => {
      const faults = severity > 0 ? [{ kind, atS: 0, durationS: forS, severity }] : [];
      return mean(record({ ...config, faults }, forS)[`${type}-1`]!.fields[field]!);
    });
    const changes = means.slice(1).map(value => Math.abs(value - means[0]!));
    const most = changes.at(-1)!;
    assert.ok(changes[0]! < 0.02 * most, `${changes}: hardly there, hardly felt`);
    for (const [i, change] of changes.entries()) {
      const rise = change - (changes[i - 1] ?? 0);
      assert.ok(i === 0 || (rise > 0 && rise < 0.6 * most), `${changes}`);
    }
  });

test('a pump cavitates when little pressure is left before it, not before', () => {
  const shaken = (severity: number) =>
    compare('pump', { kind: 'suction-blocked', atS: 0, durationS: 400, severity }, [200, 400])('vibration');
  assert.ok(Math.abs(shaken(0.2).faulty - shaken(0.2).healthy) < 0.1);
  assert.ok(shaken(1).faulty > shaken(1).healthy + 1.5);
});

test('a coupling out of line shakes at once and warms its bearing little; a worn bearing heats', () => {
  const of = (kind: FaultKind, span: readonly [number, number]) => {
    const compared = compare('pump', { kind, atS: 60, durationS: 900, severity: 0.8 }, span);
    return (field: string) => compared(field).faulty - compared(field).healthy;
  };
  const first = of('misaligned', [66, 75]);
  assert.ok(first('vibration') > 2.5 && first('bearingTemperature') < 0.3);
  const kelvinPerShake = (kind: FaultKind) => {
    const late = of(kind, [800, 900]);
    return late('bearingTemperature') / late('vibration');
  };
  assert.ok(kelvinPerShake('misaligned') < 1, `${kelvinPerShake('misaligned')}`);
  assert.ok(kelvinPerShake('bearing-wear') > 3, `${kelvinPerShake('bearing-wear')}`);
});

test('a motor without cooling heats slowly, and cools once its fan is free', () => {
  const warmer = (span: readonly [number, number]) => {
    const fault: ScheduledFault = { kind: 'cooling-lost', atS: 0, durationS: 3600, severity: 0.8 };
    const { healthy, faulty } = compare('pump', fault, span)('motorTemperature');
    return faulty - healthy;
  };
  assert.ok(warmer([0, 60]) < 1);
  assert.ok(warmer([3000, 3600]) > 15 && warmer([3000, 3600]) > 1.5 * warmer([900, 1000]));
  assert.ok(warmer([13_000, 14_000]) < 1);
});

/** Four hours of a cold room by day, and only where its compressor has been running for a while. */
function coldDay(kind: FaultKind | undefined, severity: number): { track: Track; running: number[] } {
  const faults: ScheduledFault[] = kind ? [{ kind, atS: 0, durationS: 14_400, severity, rampS: 0 }] : [];
  const { 'cold-room-1': track } = record(configOf(['cold-room'], { stepMs: 5000, faults }), 14_400);
  const current = track!.fields.compressorCurrent!;
  const runs = (i: number) => i >= 60 && current.slice(i - 40, i + 1).every(ampere => ampere > 0.5);
  return { track: track!, running: [...current.keys()].filter(runs) };
}

const meanAt = (values: readonly number[], rows: readonly number[]) => mean(rows.map(i => values[i]!));

test('behind a fouled condenser a running compressor takes more current and leaves its coil warmer', () => {
  const [clean, fouled] = [coldDay(undefined, 0), coldDay('condenser-fouled', 0.8)];
  const of = ({ track, running }: typeof clean, field: string) => meanAt(track.fields[field]!, running);
  assert.ok(of(fouled, 'compressorCurrent') > 1.25 * of(clean, 'compressorCurrent'));
  assert.ok(of(fouled, 'evaporatorTemperature') > of(clean, 'evaporatorTemperature') + 0.7);
  assert.ok(fouled.running.length > 1.15 * clean.running.length, 'it runs for longer');
});

test('without its fan a coil gets so cold that the compressor cuts out again and again, and the room warms', () => {
  const [fanned, still] = [coldDay(undefined, 0), coldDay('fan-failed', 1)];
  const starts = ({ track }: typeof fanned) =>
    track.fields.compressorCurrent!.filter((ampere, i, all) => i > 0 && ampere > 0.5 && all[i - 1]! <= 0.5)
      .length;
  const coldest = ({ track }: typeof fanned) => Math.min(...track.fields.evaporatorTemperature!);
  const room = ({ track }: typeof fanned) => mean(track.fields.roomTemperature!);
  const most = ({ track }: typeof fanned) => Math.max(...track.fields.compressorCurrent!);
  assert.ok(coldest(still) < coldest(fanned) - 8, `${coldest(fanned)} → ${coldest(still)} °C`);
  assert.ok(coldest(still) > -21, 'the low-pressure switch stops it');
  assert.ok(starts(still) > 2 * starts(fanned), `${starts(fanned)} → ${starts(still)} starts`);
  assert.ok(room(still) > room(fanned) + 1, `${room(fanned)} → ${room(still)} °C`);
  assert.ok(most(still) <= most(fanned) + 0.1, 'no more current than ever');
});

test('an offset is there at once and stays as it is', () => {
  const faults: ScheduledFault[] = [
    { kind: 'offset', field: 'flow', atS: 50, durationS: 200, severity: 0.5 },
  ];
  const [off, right] = [faults, []].map(
    given => record(configOf(['pump'], { faults: given }), 300)['pump-1']!.fields,
  );
  for (const [field, values] of Object.entries(off!))
    for (const [s, value] of values.entries()) {
      const added = field === 'flow' && s >= 50 && s < 250 ? 7.5 : 0;
      assert.ok(Math.abs(value - right![field]![s]! - added) < 1e-9, `${field} at ${s} s`);
    }
});

test('a noisy sensor is right on average and wrong every time; the others stay', () => {
  const faults: ScheduledFault[] = [{ kind: 'noisy-sensor', field: 'voltage', atS: 0, durationS: 2000 }];
  const config = configOf(['power-feed']);
  const [noisy, calm] = [faults, []].map(
    given => record({ ...config, faults: given }, 2000)['power-feed-1']!.fields,
  );
  const errors = noisy!.voltage!.map((volt, i) => volt - calm!.voltage![i]!);
  const sigma = Math.sqrt(mean(errors.map(error => error * error)));
  // The healthy one has 0.2 V; severity 0.8 of 30 times as much.
  assert.ok(Math.abs(sigma - 4.8) < 0.4, `${sigma} V`);
  assert.ok(Math.abs(mean(errors)) < 0.5);
  assert.ok(errors.filter(error => error === 0).length < 40);
  assert.deepEqual({ ...noisy, voltage: [] }, { ...calm, voltage: [] });
});

test('a change of load is no fault, yet the plant tells that it is on', () => {
  const plant = new Plant(configOf(['pump', 'cold-room', 'power-feed']));
  plant.inject({ kind: 'load-change', durationS: 10, rampS: 0 });
  plant.inject({ kind: 'drift', device: 'power-feed-3', durationS: 5 });
  const labels = plant.step().rows.map(({ fault }) => fault);
  assert.deepEqual(labels, [null, null, 'drift'], 'a fault beside it is labelled');
  const changes = plant.activeFaults().filter(({ kind }) => isDistractor(kind));
  assert.deepEqual(
    changes.map(({ device, level }) => [device, level]),
    [
      ['pump-1', 0.8],
      ['cold-room-2', 0.8],
      ['power-feed-3', 0.8],
    ],
  );
  for (let i = 0; i < 10; i++) plant.step();
  assert.deepEqual(plant.activeFaults(), []);
});

test('the works draws 20 to 40 % more or less, and the valve follows', () => {
  const seen = { up: 0, down: 0 };
  for (let seed = 1; seed <= 8; seed++) {
    const fault: ScheduledFault = { kind: 'load-change', atS: 60, durationS: 1800, severity: 1 };
    const of = compare('pump', fault, [1200, 1860], { seed });
    const change = (field: string) => of(field).faulty - of(field).healthy;
    const more = change('valvePosition') > 0;
    seen[more ? 'up' : 'down'] += 1;
    const sign = more ? 1 : -1;
    assert.ok(sign * change('valvePosition') > 5, `seed ${seed}: valve ${change('valvePosition')} %`);
    assert.ok(sign * change('flow') > 3, `seed ${seed}: flow ${change('flow')} m³/h`);
    assert.ok(sign * change('tankLevel') < -0.05, `seed ${seed}: level ${change('tankLevel')} m`);
    assert.ok(Math.abs(change('bearingTemperature')) < 0.3);
  }
  assert.ok(seen.up > 0 && seen.down > 0, JSON.stringify(seen));
});

test('warm goods make the compressor run more at its usual current, and cool down', () => {
  const [usual, loaded] = [coldDay(undefined, 0), coldDay('load-change', 0.8)];
  const at = ({ track, running }: typeof usual) => meanAt(track.fields.compressorCurrent!, running);
  assert.ok(loaded.running.length > 1.3 * usual.running.length);
  assert.ok(Math.abs(at(loaded) / at(usual) - 1) < 0.08, `${at(usual)} → ${at(loaded)} A`);
  const late = ({ track }: typeof usual) => mean(track.fields.roomTemperature!.slice(-600));
  assert.ok(late(loaded) < late(usual) + 1, `${late(usual)} → ${late(loaded)} °C`);
});

test('a big consumer stays within what the feed is made for', () => {
  const fault: ScheduledFault = { kind: 'load-change', atS: 0, durationS: 1800, severity: 1 };
  const of = compare('power-feed', fault, [100, 1800]);
  const more = of('activePower').faulty - of('activePower').healthy;
  assert.ok(more > 20 && more < 31, `${more} kW`);
  assert.ok(of('powerFactor').faulty > of('powerFactor').healthy);
});
