import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import type { Change } from '../changes/change.js';
import { aSign, blockedFacts } from '../testing/blocked-pump.js';
import { type Cause, loadCatalogue } from './catalogue.js';
import type { Diagnosis } from './diagnosis.js';
import { explain } from './explain.js';
import { isUnitFactor } from './known-units.js';
import { type Facts, rank } from './rank.js';
import { intervalOf, type Sign, signsOf } from './signs.js';

let catalogue: readonly Cause[];
before(async () => {
  catalogue = await loadCatalogue();
});

const sinceMs = 400_000;

/** A pump whose flow is otherwise from row 400 on. */
function pump(flowThen: (value: number) => number, seed = 3): Partial<Facts> {
  const rng = seededRng(seed);
  const time = Array.from({ length: 480 }, (_, i) => 1000 * i);
  const noisy = (level: number, size: number) => time.map(() => level + size * (2 * rng() - 1));
  const channel = (field: string, values: number[]) => ({ field, unit: 'm3/h', values });
  const flow = noisy(30, 0.6).map((value, i) => (i < 400 ? value : flowThen(value)));
  const channels = [
    channel('flow', flow),
    channel('dischargePressure', noisy(4, 0.2)),
    channel('motorCurrent', noisy(12, 0.4)),
  ];
  return { signs: signsOf({ time, channels }, sinceMs), intervalMs: intervalOf({ time }), sinceMs };
}

const changed = (kind: Change['kind'], minutesBefore: number, what = 'sources'): Change => ({
  kind,
  atMs: sinceMs - 60_000 * minutesBefore,
  what,
});

function diagnosisOf(facts: Partial<Facts>): Diagnosis {
  const whole = blockedFacts(facts);
  return explain(rank(catalogue, whole), whole, 0);
}

const oddsOf = ({ causes }: Diagnosis, id: string) => causes.find(one => one.id === id)?.probability ?? 0;
const changesIn = ({ evidence }: Diagnosis) => evidence.filter(({ kind }) => kind === 'change');

test('values in another scale right after a change of the configuration point to that change', () => {
  const found = diagnosisOf({ ...pump(value => value / 3.6), changes: [changed('configuration', 3)] });
  assert.deepEqual([found.causes[0]?.id, found.verdict], ['change-of-scale', 'likely']);
  assert.equal(found.causes[0]?.component, 'configuration of flow');
  const [item] = changesIn(found);
  assert.equal(item?.text, 'The configuration of gateway-1 changed 3 min before it began: sources');
  assert.equal(item.plain, 'The configuration of the gateway changed 3 min before it began');
  assert.ok(found.causes[0]!.evidence.includes(item.id));
  assert.ok(found.evidence.some(({ text }) => /^flow is 0.28 times what it was, noise and all/.test(text)));
});

test('without a change, or with one that came later, long ago or elsewhere in kind, it is not named', () => {
  const step = pump(value => value / 3.6);
  for (const changes of [
    [],
    [changed('configuration', -1)],
    [changed('configuration', 40)],
    [changed('restart', 3)],
    [changed('maintenance', 3)],
  ]) {
    const found = diagnosisOf({ ...step, changes });
    assert.ok(oddsOf(found, 'change-of-scale') < 0.1, JSON.stringify(changes));
  }
});

test('a change is not blamed for what does not look like one', () => {
  const change = [
    changed('configuration', 3),
    changed('model', 3, 'a to b'),
    changed('schema', 2, 'x is new'),
  ];
  const drift = pump(value => value, 5);
  const slow = Array.from(drift.signs as readonly Sign[]);
  const drifting = slow.map(one => (one.field === 'flow' ? { ...one, shift: -9, stepped: false } : one));
  const jumping = slow.map(one => (one.field === 'flow' ? { ...one, jumps: 6 } : one));
  for (const signs of [drifting, jumping]) {
    const found = diagnosisOf({ ...drift, signs, changes: change });
    assert.ok(!/^change-of/.test(found.causes[0]?.id ?? ''), found.causes[0]?.id);
  }
  const blocked = blockedFacts().signs.map(one => ({ ...one, stepped: true, leftMs: sinceMs }));
  const found = diagnosisOf({ signs: blocked, sinceMs, changes: change });
  assert.equal(found.causes[0]?.id, 'pump-blocked-discharge');
});

test('a new model whose alarms the channels do not bear out is named; with a fault that shows, it is not', () => {
  const calm = {
    ...pump(value => value),
    blamed: [{ field: 'flow', direction: 'high' as const, weight: 0.8 }],
  };
  const changes = [changed('model', 10, 'pump-5 to pump-6')];
  const found = diagnosisOf({ ...calm, changes });
  assert.deepEqual([found.causes[0]?.id, found.verdict], ['change-of-model', 'likely']);
  assert.match(
    changesIn(found)[0]!.text,
    /^The model of this device type on gateway-1 changed 10 min .*: pump-5 to pump-6$/,
  );
  assert.ok(oddsOf(diagnosisOf(calm), 'change-of-model') < 0.1);
  assert.ok(oddsOf(diagnosisOf({ signs: blockedFacts().signs, sinceMs, changes }), 'change-of-model') < 0.1);
});

test('recent changes are told also where they speak for nothing: the newest of a kind, none that came after', () => {
  const changes = [
    changed('restart', -1, ''),
    changed('restart', 2, ''),
    changed('restart', 5, ''),
    changed('maintenance', 20, 'pump overhaul'),
    changed('agent', 90, '1 to 2'),
  ];
  const found = diagnosisOf({ ...pump(value => value - 20), changes });
  assert.deepEqual(
    changesIn(found).map(({ text }) => text),
    [
      'The agent of gateway-1 was restarted 2 min before it began',
      'Maintenance began or ended 20 min before it began: pump overhaul',
    ],
  );
});

test('level and noise together make a scale; a level alone, or noise alone, does not', () => {
  assert.deepEqual([3.55, 1 / 10.2, 1000, 0.0167, 25.4].map(isUnitFactor), [true, true, true, true, true]);
  assert.deepEqual([2.9, 5, 1 / 7.5, 1.05, 300].map(isUnitFactor), [false, false, false, false, false]);
  const flowOf = (then: (value: number) => number) => (pump(then).signs as readonly Sign[])[0]!;
  assert.ok(Math.abs(flowOf(value => 10 * value).scaledBy! - 10) < 0.5);
  assert.equal(flowOf(value => value + 90).scaledBy, undefined, 'the noise stays');
  assert.equal(flowOf(value => 30 + 4 * (value - 30)).scaledBy, undefined, 'the level stays');
  assert.equal(flowOf(value => value).scaledBy, undefined);
  assert.equal(aSign({}).scaledBy, undefined);
});
