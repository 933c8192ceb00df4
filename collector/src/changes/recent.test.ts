import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anIncident } from '../testing/an-incident.js';
import type { Change } from './change.js';
import { changesBefore } from './recent.js';

const incident = anIncident();
const before = (seconds: number) => incident.firstMs - seconds * 1000;

function found(
  log: readonly Change[],
  more: Partial<Parameters<typeof changesBefore>[0]> = {},
  others = [incident],
) {
  return changesBefore({ log: () => log, maintenance: [], ...more }, incident, others).map(
    ({ kind, what }) => `${kind} ${what}`,
  );
}

test('what concerns the device and came before it, the newest first; not what came after, nor yesterday', () => {
  const log: Change[] = [
    { kind: 'restart', atMs: before(25 * 3600), what: 'old' },
    { kind: 'configuration', atMs: before(60), what: 'sources' },
    { kind: 'model', atMs: before(30), deviceType: 'pump', what: 'a to b' },
    { kind: 'model', atMs: before(20), deviceType: 'fan', what: 'c to d' },
    { kind: 'schema', atMs: before(10), deviceType: 'pump', devices: ['pump-2'], what: 'x is new' },
    { kind: 'restart', atMs: before(-1), what: 'after' },
  ];
  assert.deepEqual(found(log), ['model a to b', 'configuration sources']);
});

test('work that ended before it, or goes on, where the device is', () => {
  const at = (seconds: number) => new Date(before(seconds)).toISOString();
  const maintenance = [
    { name: 'overhaul', from: at(7200), to: at(600) },
    { name: 'painting', from: at(300), to: at(-300), gateways: ['pump-station-1'] },
    { name: 'elsewhere', from: at(7200), to: at(600), sites: ['south'] },
    { name: 'to come', from: at(-60), to: at(-600) },
  ];
  assert.deepEqual(found([], { maintenance }), ['maintenance painting goes on', 'maintenance overhaul']);
});

test("people's word on alarms of the device is a change where it moved its threshold", () => {
  const feedback = { verdict: 'false-alarm' as const, atMs: before(120), by: 'Ada', moved: true as const };
  const { moved: _, ...idle } = feedback;
  const judged = anIncident({ id: 'inc-1', handling: { feedback } });
  const others = [
    judged,
    anIncident({ id: 'inc-2', device: 'pump-2', handling: { feedback } }),
    anIncident({ id: 'inc-3', handling: { feedback: idle } }),
    anIncident({ id: 'inc-4' }),
  ];
  assert.deepEqual(found([], {}, others), ['threshold a false alarm']);
});
