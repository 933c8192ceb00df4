import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { aSign, blockedFacts } from '../testing/blocked-pump.js';
import { type Cause, loadCatalogue } from './catalogue.js';
import { explain } from './explain.js';
import { type Facts, rank } from './rank.js';
import type { Sign } from './signs.js';

let catalogue: readonly Cause[];
before(async () => {
  catalogue = await loadCatalogue();
});

const sign = (field: string, shift = 0, more: Partial<Sign> = {}): Sign =>
  aSign({ field, now: 10 + shift, usual: [9, 11], shift, ...more });

const pump = (changes: Readonly<Record<string, Sign>> = {}): Sign[] =>
  ['flow', 'dischargePressure', 'suctionPressure', 'vibration', 'bearingTemperature', 'motorCurrent'].map(
    field => changes[field] ?? sign(field),
  );

const facts = (signs: readonly Sign[], more: Partial<Facts> = {}): Facts => blockedFacts({ signs, ...more });

const blocked = pump({ flow: sign('flow', -6), dischargePressure: sign('dischargePressure', 5) });

test('a cause that explains what shows is likely, with its evidence; the same facts give the same words', () => {
  const ranking = rank(catalogue, facts(blocked));
  const diagnosis = explain(ranking, facts(blocked), 1000);
  const [first] = diagnosis.causes;
  assert.equal(first?.id, 'pump-blocked-discharge');
  assert.equal(diagnosis.verdict, 'likely');
  const cited = first.evidence.map(id => diagnosis.evidence.find(item => item.id === id)?.field);
  assert.deepEqual(cited.slice(0, 2).sort(), ['dischargePressure', 'flow']);
  assert.deepEqual(explain(rank(catalogue, facts(blocked)), facts(blocked), 1000), diagnosis);
});

test('probabilities and what is unknown add up to one', () => {
  for (const signs of [pump(), blocked, []]) {
    const { causes, unknown } = rank(catalogue, facts(signs));
    const sum = causes.reduce((total, { probability }) => total + probability, unknown);
    assert.ok(Math.abs(sum - 1) < 1e-9, String(sum));
  }
});

test('where nothing fits, or nothing shows, the cause is unknown', () => {
  const odd = ['alpha', 'beta', 'gamma'].map((field, i) => sign(field, 5 - 4 * i));
  for (const signs of [odd, pump(), []]) {
    const these = facts(signs, { deviceType: 'press' });
    assert.equal(explain(rank(catalogue, these), these, 0).verdict, 'unknown');
  }
});

test('what a cause does not explain speaks against it', () => {
  const probabilityOf = (signs: readonly Sign[]) =>
    rank(catalogue, facts(signs)).causes.find(({ cause }) => cause.id === 'pump-blocked-discharge')!;
  const strange = [...blocked, sign('oilLevel', -9)];
  assert.ok(probabilityOf(strange).probability < probabilityOf(blocked).probability);
  assert.deepEqual(
    probabilityOf(strange).unexplained.map(({ field }) => field),
    ['oilLevel'],
  );
});

test('one channel alone points to its sensor, by how it behaves', () => {
  const only = (changed: Sign) => {
    const these = facts(pump({ bearingTemperature: changed }), {
      blamed: [{ field: 'bearingTemperature', direction: 'high', weight: 0.9 }],
    });
    return explain(rank(catalogue, these), these, 0).causes[0]!;
  };
  assert.equal(only(sign('bearingTemperature', 8)).id, 'sensor-drift');
  assert.equal(only(sign('bearingTemperature', 8, { stepped: true })).id, 'sensor-offset');
  assert.equal(only(sign('bearingTemperature', 0, { jumps: 5 })).id, 'sensor-loose');
  assert.equal(only(sign('bearingTemperature', 0, { noise: 12 })).id, 'sensor-noisy');
  assert.equal(
    only(sign('bearingTemperature', 0, { still: true })).component,
    'sensor of bearingTemperature',
  );
});

test('a sag of the supply is found on the feed beside the machine', () => {
  const feed = { device: 'feed-1', deviceType: 'power-feed', signs: [sign('voltage', -9)], intervalMs: 1000 };
  const these = facts(pump({ motorCurrent: sign('motorCurrent', 6) }), { others: [feed], company: 1 });
  const { causes, evidence } = explain(rank(catalogue, these), these, 0);
  assert.equal(causes[0]?.component, 'power supply');
  assert.ok(evidence.some(({ device, text }) => device === 'feed-1' && /^feed-1: voltage is low/.test(text)));
});

test('names from devices stay names', () => {
  const field = 'flow\r\nBcc: x\u202e';
  const these = facts([sign(field, -9)], { device: 'pump\n1' });
  const text = JSON.stringify(explain(rank(catalogue, these), these, 0));
  assert.ok(!/\\r|\\n|\u202e/.test(text), text);
});

test('nothing is named both for a cause and against it', () => {
  const cited: string[] = [];
  for (let shift = 0; shift < 5; shift += 0.1) {
    const signs = [sign('powerFactor', -6), sign('current', 6), sign('activePower', shift)];
    const these = facts(signs, { deviceType: 'power-feed' });
    const { causes } = explain(rank(catalogue, these), these, 0);
    const failed = causes.find(({ id }) => id === 'power-factor-low');
    cited.push(...(failed?.against ?? []));
    for (const { id, evidence, against } of causes)
      assert.deepEqual(
        evidence.filter(one => against.includes(one)),
        [],
        `${id} at ${shift}`,
      );
  }
  assert.ok(cited.length > 0);
});

test('only what shows is named for a cause or against it', () => {
  const these = facts(pump({ bearingTemperature: sign('bearingTemperature', 0, { jumps: 1 }) }), {
    blamed: [{ field: 'bearingTemperature', direction: 'unusual', weight: 0.9 }],
  });
  const { causes, evidence } = explain(rank(catalogue, these), these, 0);
  const jump = evidence.find(({ text }) => /jumps/.test(text))?.id ?? 'none';
  for (const { id, evidence: cited, against } of causes) {
    assert.ok(id === 'sensor-loose' || !cited.includes(jump), id);
    assert.ok(id !== 'sensor-loose' || !against.includes(jump), id);
  }
});
