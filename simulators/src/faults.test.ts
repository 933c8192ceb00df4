import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKindNames, isDistractor } from './faults.js';
import {
  type DeviceType,
  deviceTypes,
  type FaultKind,
  faultKinds,
  Plant,
  type ScheduledFault,
} from './plant.js';
import { type Compared, compare, configOf, mean, record } from './testing/runs.js';

/** What each process fault must do: field, and the least change of its mean; the sign is the direction. */
const effects: Partial<Record<FaultKind, readonly (readonly [DeviceType, string, number])[]>> = {
  'bearing-wear': [
    ['pump', 'vibration', 3],
    ['pump', 'bearingTemperature', 8],
    ['pump', 'motorCurrent', 0.08],
  ],
  'blocked-valve': [
    ['pump', 'flow', -8],
    ['pump', 'dischargePressure', 0.2],
    ['pump', 'valvePosition', 2],
    ['pump', 'tankLevel', -0.03],
  ],
  leak: [
    ['pump', 'flow', 6],
    ['pump', 'dischargePressure', -0.2],
    ['pump', 'motorPower', 0.3],
    ['pump', 'tankLevel', -0.005],
  ],
  'suction-blocked': [
    ['pump', 'suctionPressure', -0.4],
    ['pump', 'dischargePressure', -0.4],
    ['pump', 'flow', -2.5],
    ['pump', 'motorPower', -0.1],
    ['pump', 'vibration', 0.8],
  ],
  misaligned: [
    ['pump', 'vibration', 2.5],
    ['pump', 'motorPower', 0.08],
    ['pump', 'bearingTemperature', 1],
  ],
  'cooling-lost': [['pump', 'motorTemperature', 7]],
  'door-open': [
    ['cold-room', 'roomTemperature', 0.8],
    ['cold-room', 'humidity', 5],
    ['cold-room', 'doorOpen', 0.9],
  ],
  'refrigerant-leak': [['cold-room', 'roomTemperature', 0.2]],
  'fan-failed': [['cold-room', 'evaporatorTemperature', -5]],
  'condenser-fouled': [['cold-room', 'compressorCurrent', 0.3]],
  overload: [
    ['power-feed', 'current', 80],
    ['power-feed', 'activePower', 60],
    ['power-feed', 'voltage', -1.5],
  ],
  'capacitor-failed': [
    ['power-feed', 'powerFactor', -0.1],
    ['power-feed', 'current', 15],
    ['power-feed', 'voltage', -0.8],
  ],
  'power-sag': [
    ['power-feed', 'voltage', -90],
    ['power-feed', 'activePower', -5],
    ['pump', 'motorCurrent', 0.5],
    ['pump', 'flow', -0.4],
  ],
};

/** What tells a fault from others like it by staying where it was: field, and the most its mean may move. */
const untouched: Partial<Record<FaultKind, readonly (readonly [DeviceType, string, number])[]>> = {
  'suction-blocked': [
    ['pump', 'bearingTemperature', 0.2],
    ['pump', 'motorTemperature', 0.5],
  ],
  misaligned: [
    ['pump', 'flow', 0.1],
    ['pump', 'suctionPressure', 0.005],
    ['pump', 'dischargePressure', 0.02],
    ['pump', 'motorTemperature', 0.5],
    ['pump', 'bearingTemperature', 4],
  ],
  'cooling-lost': [
    ['pump', 'vibration', 0.01],
    ['pump', 'motorCurrent', 0.02],
    ['pump', 'flow', 0.05],
    ['pump', 'bearingTemperature', 3],
  ],
  'fan-failed': [
    ['cold-room', 'doorOpen', 0],
    ['cold-room', 'dockTemperature', 0],
  ],
  'condenser-fouled': [
    ['cold-room', 'roomTemperature', 0.2],
    ['cold-room', 'doorOpen', 0],
  ],
  overload: [
    ['power-feed', 'voltage', 8],
    ['power-feed', 'frequency', 0],
  ],
  'capacitor-failed': [
    ['power-feed', 'activePower', 1],
    ['power-feed', 'voltage', 5],
    ['power-feed', 'frequency', 0],
  ],
};

const usual = (kind: FaultKind, severity = 0.8): ScheduledFault => {
  return { kind, atS: 60, durationS: faultKinds[kind].durationS, severity };
};

const compared = new Map<string, ReturnType<typeof compare>>();

/** How far the mean of a field moves over the usual length of a fault. */
function moved(kind: FaultKind, type: DeviceType, field: string): number {
  const key = `${kind} ${type}`;
  const of = compared.get(key) ?? compare(type, usual(kind), [60, 60 + faultKinds[kind].durationS]);
  compared.set(key, of);
  return of(field).faulty - of(field).healthy;
}

for (const kind of faultKindNames) {
  for (const [type, field, most] of untouched[kind] ?? [])
    test(`${kind} leaves the ${field} of a ${type} within ${most}`, () => {
      const change = moved(kind, type, field);
      assert.ok(Math.abs(change) <= most, `${field} moves by ${change}`);
    });

  for (const [type, field, least] of effects[kind] ?? [])
    test(`${kind} moves the ${field} of a ${type} ${least > 0 ? 'up' : 'down'}`, () => {
      const change = moved(kind, type, field);
      assert.ok(change / least >= 1, `${field} moves by ${change}, wanted ${least}`);
    });

  test(`${kind} is felt from its first minute to its last, and only then`, () => {
    for (const type of faultKinds[kind].fits) {
      if (faultKinds[kind].acts === 'site') continue;
      const config = configOf([type], { faults: [{ kind, atS: 100, durationS: 400, rampS: 0 }] });
      const [track] = Object.values(record(config, 700));
      const label = isDistractor(kind) ? null : kind;
      for (const [i, timeS] of track!.timeS.entries())
        assert.equal(track!.fault[i], timeS >= 100 && timeS < 500 ? label : null, `${type} at ${timeS} s`);
      const [healthy] = Object.values(record({ ...config, faults: [] }, 100));
      for (const [field, values] of Object.entries(healthy!.fields))
        assert.deepEqual(track!.fields[field]!.slice(0, 100), values, `${field} before the fault`);
    }
  });
}

test('every process fault has an effect written down here', () => {
  const processes = faultKindNames.filter(kind => faultKinds[kind].acts === 'process');
  assert.deepEqual(Object.keys(effects).sort(), processes.sort());
});

test('a stronger fault acts more strongly, and a ramp lets it grow', () => {
  const flowAt = (severity: number, rampS: number, span: readonly [number, number]): Compared =>
    compare('pump', { kind: 'blocked-valve', atS: 10, durationS: 500, severity, rampS }, span)('flow');
  const drop = ({ healthy, faulty }: Compared) => healthy - faulty;
  assert.ok(drop(flowAt(1, 0, [60, 120])) > drop(flowAt(0.5, 0, [60, 120])) + 3);
  assert.ok(drop(flowAt(1, 300, [20, 40])) < drop(flowAt(1, 300, [250, 300])) - 3);
});

test('a worn bearing recovers once it has been replaced', () => {
  const fault: ScheduledFault = { kind: 'bearing-wear', atS: 10, durationS: 600, severity: 1 };
  const of = compare('pump', fault, [5000, 5400]);
  for (const field of ['vibration', 'bearingTemperature', 'motorCurrent'])
    assert.ok(Math.abs(of(field).faulty - of(field).healthy) < 0.2, field);
});

test('a stuck sensor shows one value, the others live on', () => {
  const fault: ScheduledFault = { kind: 'stuck-sensor', field: 'flow', atS: 50, durationS: 200 };
  const { 'pump-1': track } = record(configOf(['pump'], { faults: [fault] }), 400);
  assert.equal(new Set(track!.fields.flow!.slice(49, 250)).size, 1);
  assert.ok(new Set(track!.fields.flow!.slice(250)).size > 5);
  assert.ok(new Set(track!.fields.motorCurrent!.slice(50, 250)).size > 5);
});

test('a drift grows to its severity and touches one field only', () => {
  for (const type of deviceTypes) {
    const fault: ScheduledFault = { kind: 'drift', atS: 50, durationS: 900, severity: 1, rampS: 600 };
    const of = compare(type, fault, [800, 900]);
    const { healthy, faulty } = of(
      { pump: 'bearingTemperature', 'cold-room': 'roomTemperature', 'power-feed': 'voltage' }[type],
    );
    assert.ok(faulty - healthy > 0.05 * healthy, `${type}: ${healthy} → ${faulty}`);
    const other = { pump: 'flow', 'cold-room': 'humidity', 'power-feed': 'current' }[type];
    assert.equal(of(other).faulty, of(other).healthy, other);
  }
});

test('spikes hit some readings hard and leave the rest alone', () => {
  const faults: ScheduledFault[] = [{ kind: 'spikes', atS: 0, durationS: 1000, severity: 0.7 }];
  const config = configOf(['pump']);
  const [spiky, calm] = [faults, []].map(
    given => record({ ...config, faults: given }, 1000)['pump-1']!.fields,
  );
  const gaps = spiky!.bearingTemperature!.map((v, i) => Math.abs(v - calm!.bearingTemperature![i]!));
  const hit = gaps.filter(gap => gap > 15).length;
  assert.ok(hit > 150 && hit < 260, `${hit} spikes`);
  assert.equal(gaps.filter(gap => gap === 0).length, 1000 - hit);
});

test('a sag of the feed is felt by everything behind it', () => {
  const faults: ScheduledFault[] = [
    { kind: 'power-sag', device: 'power-feed-1', atS: 100, durationS: 60, severity: 0.7, rampS: 1 },
  ];
  const config = configOf(['power-feed', 'pump', 'cold-room'], { stepMs: 1000 });
  const [sagged, healthy] = [record({ ...config, faults }, 1200), record(config, 1200)];
  const mid = (tracks: typeof sagged, device: string, field: string) => tracks[device]!.fields[field]![130]!;
  assert.ok(mid(sagged, 'power-feed-1', 'voltage') < 0.75 * mid(healthy, 'power-feed-1', 'voltage'));
  assert.ok(mid(sagged, 'pump-2', 'motorCurrent') > mid(healthy, 'pump-2', 'motorCurrent') + 0.5);
  for (const [device, track] of Object.entries(sagged)) {
    const labelled = track.timeS.filter((_, i) => track.fault[i] === 'power-sag');
    assert.deepEqual([labelled[0], labelled.at(-1)], [100, 159], device);
  }
});

test('a pump behind a feed runs at what the feed leaves it', () => {
  const own = { name: 'pump-1', type: 'pump' as const };
  const feed = { name: 'feed', type: 'power-feed' as const };
  const [fed, direct] = [[feed, own], [own]].map(
    devices => record({ ...configOf([]), devices }, 3600)['pump-1']!,
  );
  const amperes = (track = fed) => mean(track!.fields.motorCurrent!);
  assert.ok(
    amperes() > amperes(direct) + 0.005,
    `${amperes(direct)} A direct, ${amperes()} A behind the feed`,
  );
});

test('a compressor drops out in a sag and starts again after its rest', () => {
  const faults: ScheduledFault[] = [{ kind: 'power-sag', atS: 0, durationS: 3600, severity: 0.7, rampS: 0 }];
  const { 'cold-room-1': track } = record(configOf(['cold-room'], { faults }), 7200);
  const current = track!.fields.compressorCurrent!;
  assert.ok(Math.max(...current.slice(10, 3600)) < 0.1);
  assert.ok(Math.max(...current.slice(3600)) > 1.5);
});

test('with little refrigerant a running compressor cools its coil less and takes less current', () => {
  const fault: ScheduledFault = { kind: 'refrigerant-leak', atS: 0, durationS: 14_400, severity: 0.8 };
  const config = configOf(['cold-room'], { stepMs: 5000 });
  const [starved, full] = [[fault], []].map(faults => record({ ...config, faults }, 14_400)['cold-room-1']!);
  const coldest = (track = full) => Math.min(...track!.fields.evaporatorTemperature!.slice(720));
  const most = (track = full) => Math.max(...track!.fields.compressorCurrent!.slice(720));
  assert.ok(coldest(starved) > coldest() + 2, `${coldest()} → ${coldest(starved)}`);
  assert.ok(most(starved) < 0.85 * most(), `${most()} → ${most(starved)}`);
});

test('a sag of one pump leaves the others alone', () => {
  const config = configOf(['pump', 'pump']);
  const faults: ScheduledFault[] = [{ kind: 'power-sag', device: 'pump-1', atS: 10, durationS: 60 }];
  assert.deepEqual(record({ ...config, faults }, 100)['pump-2'], record(config, 100)['pump-2']);
});

test('an offline gateway yields no rows, and afterwards everything is as it would have been', () => {
  const config = configOf(deviceTypes);
  const plant = new Plant({ ...config, faults: [{ kind: 'gateway-offline', atS: 30, durationS: 20 }] });
  const reference = new Plant(config);
  for (let s = 0; s < 80; s++) {
    const [tick, expected] = [plant.step(), reference.step()];
    const silent = s >= 30 && s < 50;
    assert.equal(tick.offline, silent, `second ${s}`);
    assert.deepEqual(tick.rows, silent ? [] : expected.rows, `second ${s}`);
  }
});

test('a fault can be injected while the plant runs, and ends by itself', () => {
  const plant = new Plant(configOf(['pump', 'cold-room'], { stepMs: 2000 }));
  for (let i = 0; i < 5; i++) plant.step();
  plant.inject({ kind: 'drift', device: 'pump-1', field: 'flow', durationS: 20 });
  assert.deepEqual(plant.activeFaults(), []);
  const labels = Array.from({ length: 15 }, () => plant.step().rows.map(({ fault }) => fault));
  assert.deepEqual(labels[0], ['drift', null]);
  assert.equal(labels.filter(([fault]) => fault === 'drift').length, 10);
  assert.equal(
    labels.findIndex(([fault]) => fault === null),
    10,
  );
});

test('active faults tell their device, field, span and present strength', () => {
  const plant = new Plant(configOf(['pump']));
  plant.inject({ kind: 'stuck-sensor', durationS: 10 });
  plant.inject({ kind: 'bearing-wear', durationS: 100, rampS: 10, severity: 1 });
  for (let i = 0; i < 6; i++) plant.step();
  const [stuck, wear] = plant.activeFaults();
  assert.equal(stuck?.field, 'bearingTemperature');
  assert.equal(stuck?.device, 'pump-1');
  assert.deepEqual([wear?.startS, wear?.endS, wear?.level], [0, 100, 0.5]);
  for (let i = 0; i < 6; i++) plant.step();
  assert.deepEqual(
    plant.activeFaults().map(({ kind }) => kind),
    ['bearing-wear'],
  );
});

test('of two faults at once the older one is the label', () => {
  const faults: ScheduledFault[] = [
    { kind: 'leak', atS: 20, durationS: 30 },
    { kind: 'power-sag', atS: 10, durationS: 20 },
  ];
  const { 'pump-1': track } = record(configOf(['pump'], { faults }), 60);
  const at = (s: number) => track!.fault[s];
  assert.deepEqual([at(5), at(15), at(25), at(35), at(55)], [null, 'power-sag', 'power-sag', 'leak', null]);
});
