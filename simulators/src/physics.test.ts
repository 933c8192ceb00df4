import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from './chance.js';
import { relativeHumidity, saturated } from './models/humid-air.js';
import {
  cavitation,
  dutyPoint,
  type HydraulicParameters,
  pumpHead,
  pumpPower,
  valveKv,
  waterPower,
} from './models/hydraulics.js';
import { Tank } from './models/tank.js';
import { configOf, mean, record } from './testing/runs.js';

const pump: HydraulicParameters = {
  shutOffM: 34,
  headSlope: 0.004,
  idleW: 2200,
  wattsPerFlow: 49,
  bestFlow: 45,
  liftM: 6,
  pipeSlope: 0.0025,
  valveKvs: 110,
};

test('at the duty point the pump gives exactly the head that the system takes', () => {
  for (const [speed, position, blocked, leak] of [
    [1, 0.7, 0, 0],
    [0.9, 0.4, 0, 0],
    [1, 0.7, 0.8, 0],
    [1, 0.6, 0, 12],
  ] as const) {
    const kv = valveKv(pump.valveKvs, position, blocked);
    const flow = dutyPoint(pump, speed, kv, leak, 3);
    const through = flow - leak;
    const taken = pump.liftM - 3 + (pump.pipeSlope + 10.21 / (kv * kv)) * through * through;
    assert.ok(Math.abs(pumpHead(pump, speed, flow) - taken) < 1e-9, `speed ${speed}, leak ${leak}`);
  }
});

test('affinity laws: flow goes with speed, head with its square, power with its cube', () => {
  const [head, power] = [pumpHead(pump, 1, 40), pumpPower(pump, 1, 40)];
  assert.ok(Math.abs(pumpHead(pump, 0.8, 32) - 0.64 * head) < 1e-9);
  assert.ok(Math.abs(pumpPower(pump, 0.8, 32) - 0.512 * power) < 1e-9);
});

test('a pump gives less power to the water than its shaft takes, and none below the lift', () => {
  for (let flow = 1; flow < 60; flow++)
    assert.ok(waterPower(pumpHead(pump, 1, flow), flow) < 0.85 * pumpPower(pump, 1, flow), `${flow} m³/h`);
  assert.equal(dutyPoint(pump, 0.2, 50, 0, 3), 0);
});

test('a pump with enough pressure before it does not cavitate at any flow; with too little it does', () => {
  for (let flow = 0; flow <= 65; flow++) assert.equal(cavitation(3 - 0.0004 * flow * flow, flow), 0);
  assert.equal(cavitation(-9, 40), 1);
  for (let head = -9; head < 3; head += 0.5)
    assert.ok(cavitation(head, 40) >= cavitation(head + 0.5, 40), `${head} m`);
});

test('debris narrows a valve, most of all a wide open one', () => {
  assert.equal(valveKv(110, 1, 0), 110);
  assert.ok(valveKv(110, 1, 0.5) < 18.1);
  assert.ok(valveKv(110, 0.2, 0.5) > 0.8 * valveKv(110, 0.2, 0));
});

test('a tank holds what came in less what went out, and no more than its height', () => {
  const chance = new Chance(1, 'tank');
  const tank = new Tank(chance, chance);
  const before = tank.levelM;
  let balance = 0;
  for (let s = 0; s < 3600; s++) {
    tank.second(s);
    tank.advance(1, 45);
    balance += (45 - tank.demand) / 3600;
  }
  assert.ok(Math.abs((tank.levelM - before) * tank.areaM2 - balance) < 1e-9);
  tank.advance(3600 * 100, 1000);
  assert.equal(tank.levelM, 4);
});

test('a running plant keeps its water: what a blocked valve withholds is what the tank lacks', () => {
  // Both runs have the same demand, so the difference of their levels is the difference of their flows.
  const fault = { kind: 'blocked-valve' as const, atS: 60, durationS: 3000, severity: 1 };
  const [healthy, blocked] = [[], [fault]].map(
    faults => record(configOf(['pump'], { faults }), 3000)['pump-1']!.fields,
  );
  const withheldM3 = healthy!.flow!.reduce((sum, flow, i) => sum + (flow - blocked!.flow![i]!) / 3600, 0);
  const last = (fields = healthy) => mean(fields!.tankLevel!.slice(-10));
  const areaM2 = withheldM3 / (last() - last(blocked));
  assert.ok(withheldM3 > 5, `${withheldM3} m³ withheld`);
  assert.ok(Math.abs(areaM2 - 12) < 0.4, `the tank has about 12 m², not ${areaM2}`);
});

test('power is √3 · U · I · cos φ within the sensors’ noise', () => {
  const { 'power-feed-1': track } = record(configOf(['power-feed'], { stepMs: 10_000 }), 86_400);
  const { voltage, current, activePower, powerFactor } = track!.fields;
  for (const [i, kW] of activePower!.entries()) {
    const product = (Math.sqrt(3) * voltage![i]! * current![i]! * powerFactor![i]!) / 1000;
    assert.ok(Math.abs(product - kW) < 0.02 * kW + 1.2, `row ${i}: ${product} and ${kW}`);
  }
});

test('motor current follows the supply voltage and the flow', () => {
  const { 'pump-1': track } = record(configOf(['pump'], { stepMs: 30_000 }), 2 * 86_400);
  const { flow, motorPower } = track!.fields;
  assert.ok(correlation(flow!, motorPower!) > 0.9);
});

test('saturated air at 20 °C holds 14.7 g/kg, at 0 °C 3.8 g/kg', () => {
  assert.ok(Math.abs(saturated(20) * 1000 - 14.7) < 0.1, `${saturated(20)}`);
  assert.ok(Math.abs(saturated(0) * 1000 - 3.77) < 0.03, `${saturated(0)}`);
  assert.equal(relativeHumidity(1, 20), 100);
});

test('a cold room cycles about its set point and defrosts three times a day', () => {
  const { 'cold-room-1': track } = record(configOf(['cold-room'], { stepMs: 10_000 }), 86_400);
  const { roomTemperature, compressorCurrent, defrost } = track!.fields;
  assert.ok(Math.abs(mean(roomTemperature!) - 4) < 0.6, `mean ${mean(roomTemperature!)}`);
  assert.equal(rises(defrost!), 3);
  const starts = rises(compressorCurrent!.map(ampere => (ampere > 0.5 ? 1 : 0)));
  assert.ok(starts > 20 && starts < 150, `${starts} starts`);
});

function rises(values: readonly number[]): number {
  return values.filter((value, i) => i > 0 && value > values[i - 1]!).length;
}

function correlation(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  const sxy = mean(x.map((v, i) => (v - mx) * (y[i]! - my)));
  const [sx, sy] = [x, y].map((v, k) => Math.sqrt(mean(v.map(a => (a - (k === 0 ? mx : my)) ** 2))));
  return sxy / (sx! * sy!);
}
