import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Incident } from '../alerts/incident.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { anIncident } from '../testing/an-incident.js';
import { type MailKind, renderMail } from './mail.js';

function render(changes: Partial<Incident>, kind: MailKind = 'opened') {
  return renderMail({ kind, incident: anIncident(changes) });
}

/** What a reader sees of the HTML. */
function wordsOf(html: string): string {
  return html
    .replace(/^.*<body/s, '<body')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&nbsp;', '\u00a0')
    .replaceAll(/[ \n]+/g, ' ');
}

test('a likely cause stands in the subject, with its component, its shares and its evidence in both parts', () => {
  const { subject, text, html } = render({ diagnosis: aDiagnosis() });
  assert.equal(
    subject,
    '[critical] north/pump-station-1 pump-1: Blockage or closed valve behind the pump (likely)',
  );
  for (const part of [
    'Most likely: Blockage or closed valve behind the pump (81\u00a0%). None of the known causes: 7\u00a0%.',
    'look at: discharge valve',
    'for it: E1, E2',
    'against it: E3',
    'Worn impeller',
    'flow is low: 3.1 m³/h, 18 – 32 m³/h before',
  ]) {
    assert.ok(text.includes(part), `text lacks ${part}`);
    assert.ok(wordsOf(html).includes(part), `html lacks ${part}`);
  }
  assert.match(text, /^Component: +discharge valve$/m);
  assert.match(text, /^2\. Worn impeller: 12 % \(look at: impeller; for it: E1, E2\)$/m);
});

test('of several possible causes each component is affected, and the subject keeps to what was seen', () => {
  const diagnosis = aDiagnosis({ verdict: 'possible' });
  const near = diagnosis.causes.map((cause, i) => ({ ...cause, probability: 0.4 - i / 10 }));
  const { subject, text } = render({ diagnosis: { ...diagnosis, causes: near, unknown: 0.3 } });
  assert.match(subject, /pump-1: dischargePressure high, flow low$/);
  assert.match(text, /^Possible, not sure: Blockage/m);
  assert.match(text, /^Component: +discharge valve; or impeller$/m);
});

test('what is unknown is called unknown, and no component is blamed', () => {
  const diagnosis = aDiagnosis({ verdict: 'unknown', unknown: 0.8 });
  const { subject, text, html } = render({ diagnosis });
  assert.match(subject, /pump-1: dischargePressure high, flow low$/);
  for (const part of [text, wordsOf(html)])
    assert.match(part, /The cause is unknown: the evidence is too weak to name one\./);
  assert.doesNotMatch(text, /^Component/m);
  assert.doesNotMatch(render({}).text, /^Cause/m, 'where nobody looked, nothing is claimed');
});

test('words of a language model never come first, and stand apart under its name', () => {
  const wording = { text: 'The line is closed (E1).\n\nOpen <b>it</b>.', model: 'tiny-1' };
  const incident = { diagnosis: aDiagnosis(), wording };
  const first = render(incident);
  assert.doesNotMatch(first.text + first.html, /The line is closed|tiny-1/);
  for (const kind of ['critical', 'closed'] as const) {
    const { text, html, subject } = render(incident, kind);
    assert.match(text, /\n\nIn other words \(by the language model tiny-1; .*\)\n-+\n\| The line is closed/);
    assert.match(text, /^\| Open <b>it<\/b>\.$/m);
    assert.match(wordsOf(html), /In other words \(by the language model tiny-1;.*The line is closed \(E1\)/);
    assert.doesNotMatch(html, /<b>it/);
    assert.doesNotMatch(subject, /The line/);
  }
  assert.doesNotMatch(render({ wording: { text: ' \n\n ', model: 'x' } }, 'closed').text, /In other words/);
});

test('devices whose incidents have the same cause are named in its mail', () => {
  const parts = [
    { id: 'inc-2', device: 'pump-2' },
    { id: 'inc-3', device: 'tank-1' },
  ];
  const { text, html } = render({ parts });
  assert.match(text, /^Same cause: +pump-2, tank-1$/m);
  assert.match(wordsOf(html), /Same cause pump-2, tank-1/);
});

test('parts of other gateways are named with them, and what is only fed by it stands apart', () => {
  const { gateway } = anIncident();
  const parts = [
    { id: 'inc-2', device: 'pump-1', gateway: 'gw-2' },
    { id: 'inc-3', device: 'pump-1', gateway: 'gw-3' },
    { id: 'inc-4', device: 'pump-2', gateway },
    { id: 'inc-5', device: 'mill-1', gateway: 'gw-2', bond: 'feeds' as const },
  ];
  const { text } = render({ parts });
  assert.match(text, /^Same cause: +gw-2\/pump-1, gw-3\/pump-1, pump-2$/m);
  assert.match(text, /^Fed by it: +gw-2\/mill-1$/m);
  const most = Array.from({ length: 30 }, (_, i) => ({ id: `inc-${i}`, device: `pump-${i}`, gateway }));
  assert.match(render({ parts: most, partCount: 40 }).text, /^Same cause: .*\bpump-19 and 20 more$/m);
  const both = render({ parts: [...parts, ...most], partCount: 60 }).text;
  assert.doesNotMatch(both, /more$/m);
  assert.match(both, /^Further devices: +40$/m);
});

test('an asset that is a site is called so, once', () => {
  const asset = { path: 'north', level: 'site' as const, criticality: 'high' as const };
  const { text } = render({ site: 'north', asset });
  assert.deepEqual(text.match(/^(Site|Line|Machine): .*$/gm), ['Site:     north (criticality high)']);
});
