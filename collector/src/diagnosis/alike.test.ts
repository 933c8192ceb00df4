import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Incident } from '../alerts/incident.js';
import { renderMail } from '../notifiers/mail.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { anIncident } from '../testing/an-incident.js';
import { blockedFacts } from '../testing/blocked-pump.js';
import { alikeTo } from './alike.js';
import { type Cause, loadCatalogue } from './catalogue.js';
import type { Diagnosis, Trait } from './diagnosis.js';
import { explain } from './explain.js';
import { rank, traitsOf } from './rank.js';

let catalogue: readonly Cause[];
before(async () => {
  catalogue = await loadCatalogue();
});

const blockedTraits: readonly Trait[] = [
  { field: 'flow', is: 'low' },
  { field: 'dischargePressure', is: 'high' },
];
const [march, minutes] = [Date.UTC(2026, 2, 3, 9), 60_000];

/** Over after 12 minutes, and taken for a blockage. */
function past(changes: Partial<Incident> = {}, found: Partial<Diagnosis> = {}): Incident {
  return anIncident({
    id: 'inc-00000000000000aa',
    state: 'closed',
    firstMs: march,
    lastMs: march + 11 * minutes,
    closedMs: march + 12 * minutes,
    diagnosis: aDiagnosis({ traits: blockedTraits, ...found }),
    ...changes,
  });
}

function called(verdict: 'real' | 'false-alarm', changes: Partial<Incident> = {}): Incident {
  return past({ handling: { feedback: { verdict, atMs: march + 20 * minutes, by: 'Ada' } }, ...changes });
}

const device = { gateway: 'pump-station-1', device: 'pump-1', deviceType: 'pump' };

function diagnosisAfter(...earlier: readonly Incident[]): Diagnosis {
  const facts = blockedFacts();
  const withPast = { ...facts, alike: alikeTo(device, traitsOf(facts), earlier) };
  return explain(rank(catalogue, withPast), withPast, 0);
}

function oddsAfter(...earlier: readonly Incident[]): number {
  const { causes } = diagnosisAfter(...earlier);
  return causes.find(({ id }) => id === 'pump-blocked-discharge')?.probability ?? 0;
}

const pastItems = ({ evidence }: Diagnosis) => evidence.filter(({ kind }) => kind === 'past');

test('an earlier incident that looked alike is evidence: when, what it was, what people said, how long it took', () => {
  const diagnosis = diagnosisAfter(called('real'));
  const [item, ...more] = pastItems(diagnosis);
  assert.equal(
    item?.text,
    'Like an incident of this device of 3 Mar 2026: Blockage or closed valve behind the pump (likely then), ' +
      'called real, over after 12 min',
  );
  assert.equal(item.incident, 'inc-00000000000000aa');
  assert.deepEqual(more, []);
  assert.ok(diagnosis.causes[0]!.evidence.includes(item.id));
});

test('what people called real makes the same cause likelier, a false alarm less likely, both within bounds', () => {
  const none = oddsAfter();
  const [real, falseAlarm] = [oddsAfter(called('real')), oddsAfter(called('false-alarm'))];
  assert.ok(real > none && falseAlarm < none, `${falseAlarm} ${none} ${real}`);
  const many = (verdict: 'real' | 'false-alarm') =>
    Array.from({ length: 50 }, (_, i) => called(verdict, { id: `inc-${i}` }));
  assert.equal(oddsAfter(...many('real')), real, 'no more often than once');
  assert.equal(oddsAfter(...many('false-alarm')), falseAlarm);
  const diagnosis = diagnosisAfter(called('false-alarm'));
  const [item] = pastItems(diagnosis);
  const cause = diagnosis.causes.find(({ id }) => id === 'pump-blocked-discharge');
  assert.ok(cause?.against.includes(item!.id) && !cause.evidence.includes(item!.id));
});

test('a guess of ours that nobody confirmed is told, but makes the same guess no likelier, however often', () => {
  const guesses = Array.from({ length: 30 }, (_, i) => past({ id: `inc-${i}` }));
  const seen = guesses.map(one => ({
    ...one,
    handling: { acknowledged: { atMs: march, by: 'Ada' } },
  }));
  assert.equal(oddsAfter(...guesses, ...seen), oddsAfter());
  const diagnosis = diagnosisAfter(past());
  const [item] = pastItems(diagnosis);
  assert.match(item!.text, /not confirmed/);
  for (const { evidence, against } of diagnosis.causes)
    assert.ok(!evidence.includes(item!.id) && !against.includes(item!.id));
});

test('another machine of the type counts less, and is named; what looked otherwise is not alike', () => {
  const other = called('real', { gateway: 'gw-2', device: 'pump-9' });
  const [none, own, others] = [oddsAfter(), oddsAfter(called('real')), oddsAfter(other)];
  assert.ok(none < others && others < own, `${none} ${others} ${own}`);
  const [item] = pastItems(diagnosisAfter(other));
  assert.match(item!.text, /^Like an incident of pump-9 at gw-2 of 3 Mar 2026: /);
  assert.match(item!.plain!, /^Like an incident of another device of this type of 3 Mar 2026: called real, /);
  const unlike: Incident[] = [
    called('real', { deviceType: 'fan' }),
    called('real', { diagnosis: aDiagnosis({ traits: [{ field: 'flow', is: 'high' }] }) }),
    called('real', { diagnosis: aDiagnosis({ traits: [] }) }),
    called('real', { detector: 'drift' }),
  ];
  assert.equal(oddsAfter(...unlike), none);
  assert.deepEqual(pastItems(diagnosisAfter(...unlike)), []);
});

test('of incidents from before traits were kept, the channels tell what they looked like', () => {
  const { traits: _, ...bare } = aDiagnosis();
  const old = called('real', { diagnosis: bare });
  assert.equal(pastItems(diagnosisAfter({ ...old, channels: old.channels.slice(0, 2) })).length, 1);
  assert.equal(pastItems(diagnosisAfter({ ...old, channels: old.channels.slice(2) })).length, 0);
  const faint = ['a', 'b', 'c'].map(field => ({ ...old.channels[0]!, field, weight: 0.05 }));
  const blurred = { ...old, channels: [...old.channels.slice(0, 2), ...faint] };
  assert.equal(pastItems(diagnosisAfter(blurred)).length, 1, 'what hardly took part says nothing');
});

test('a mail links the earlier incident, and only where the page has an address', () => {
  const incident = anIncident({ diagnosis: diagnosisAfter(called('real')) });
  const linked = renderMail({ kind: 'opened', incident }, 'https://page.example/');
  const address = 'https://page.example/#/incident/inc-00000000000000aa';
  assert.ok(linked.text.includes(address));
  assert.ok(linked.html.includes(`href="${address}"`));
  const bare = renderMail({ kind: 'opened', incident });
  assert.ok(!/href=/.test(bare.html) && bare.text.includes('called real'));
});
