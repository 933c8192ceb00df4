/** Every number, name and word of a mail has to come from its incident or from the template. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '@edgeward/shared/testing/properties';
import type { Incident } from '../alerts/incident.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { anIncident } from '../testing/an-incident.js';
import { readable, unfounded } from '../testing/mail-claims.js';
import { type MailKind, renderMail, type Told } from './mail.js';

const name = fc.stringMatching(/^[a-z][a-z0-9]{4,9}$/);
const number = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.double({ min: -1e-5, max: 1e-5, noNaN: true }),
  fc.integer({ min: -500, max: 500 }),
);
const share = fc.double({ min: 0, max: 1, noNaN: true });
const channel = fc.record(
  {
    field: name,
    value: fc.option(number),
    unit: fc.option(fc.constantFrom('bar', 'm/s', 'kWh', 'Hz')),
    expected: fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    limit: number,
    direction: fc.constantFrom('high' as const, 'low' as const, 'unusual' as const),
    weight: share,
    rows: fc.integer({ min: 1, max: 99 }),
    firstMs: fc.constant(0),
  },
  { requiredKeys: ['field', 'value', 'unit', 'direction', 'weight', 'rows', 'firstMs'] },
);
const ids = fc.subarray(['E1', 'E2', 'E3']);
const cause = fc.record({
  id: name,
  cause: name,
  component: name,
  severity: fc.constantFrom('info' as const, 'warning' as const, 'critical' as const),
  probability: share,
  evidence: ids,
  against: ids,
  actions: fc.array(name, { maxLength: 2 }),
});
const diagnosis: fc.Arbitrary<Diagnosis> = fc.record({
  agreed: fc.constant(1),
  atMs: fc.constant(0),
  verdict: fc.constantFrom('likely' as const, 'possible' as const, 'unknown' as const),
  causes: fc.array(cause, { maxLength: 3 }),
  unknown: share,
  evidence: fc
    .tuple(name, name, name)
    .map(texts =>
      texts.map((text, i) => ({ id: `E${i + 1}`, text: `${text} is ${i + 7}.25`, device: text })),
    ),
});
const incident: fc.Arbitrary<Incident> = fc
  .record(
    {
      gateway: name,
      site: fc.option(name),
      device: name,
      deviceType: name,
      title: name,
      severity: fc.constantFrom('info' as const, 'warning' as const, 'critical' as const),
      rows: fc.integer({ min: 1, max: 9999 }),
      peakScore: share,
      threshold: share,
      detector: fc.constantFrom('forest', 'rule', 'quality', 'drift', 'surprise'),
      source: name,
      model: fc.option(name),
      channels: fc.array(channel, { maxLength: 5 }),
      recommendations: fc.array(name, { maxLength: 3 }),
      timeline: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 4e12 }), text: name }), {
        maxLength: 4,
      }),
      diagnosis,
      parts: fc.array(fc.record({ id: name, device: name }), { maxLength: 3 }),
    },
    { noNullPrototype: true },
  )
  .chain(fields =>
    fc
      .tuple(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 0, max: 9e8 }))
      .map(([firstMs, lasts]) =>
        anIncident({ ...fields, detectors: [], firstMs, lastMs: firstMs + lasts, closedMs: firstMs + lasts }),
      ),
  );

const kinds: readonly MailKind[] = ['opened', 'critical', 'update', 'closed'];
const before: fc.Arbitrary<Told> = fc.record(
  {
    verdict: fc.constantFrom('likely' as const, 'possible' as const, 'unknown' as const),
    id: name,
    cause: name,
  },
  { requiredKeys: ['verdict'], noNullPrototype: true },
);

test('no number, name or word in a mail that its incident does not have', () => {
  fc.assert(
    fc.property(incident, fc.constantFrom(...kinds), fc.boolean(), before, (one, kind, diagnosed, told) => {
      const { diagnosis: found, ...bare } = one;
      const shown = diagnosed ? one : bare;
      const known = { incident: shown, told: kind === 'update' ? told : undefined };
      const { subject, text, html } = renderMail({ kind, incident: shown, told }, 'https://page.example');
      const link = new RegExp(`https://page\\.example/#/incident/${shown.id}`, 'g');
      assert.deepEqual(unfounded(subject, known), []);
      assert.deepEqual(unfounded(text.replaceAll(link, ' '), known), []);
      assert.deepEqual(unfounded(readable(html), known), []);
    }),
    { numRuns: 100, includeErrorInReport: true },
  );
});

test('HTML and text name the same things', () => {
  // HTML numbers its lists by itself.
  const words = (text: string) =>
    new Set(
      text
        .replaceAll(/^\s*\d+\.(?=\s)/gm, '')
        .toLowerCase()
        .match(/[\p{L}\p{N}]+(?:\.\p{N}+)*/gu) ?? [],
    );
  // The heads of the table of channels.
  const onlyHtml = ['channel', 'value'];
  fc.assert(
    fc.property(incident, fc.constantFrom(...kinds), (one, kind) => {
      const { text, html } = renderMail({ kind, incident: one });
      const [inText, inHtml] = [words(text), words(readable(html))];
      assert.deepEqual(
        [...inText].filter(word => !inHtml.has(word)),
        [],
      );
      assert.deepEqual(
        [...inHtml].filter(word => !inText.has(word) && !onlyHtml.includes(word)),
        [],
      );
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});

test('the parser itself finds what is made up', () => {
  const one = anIncident({ diagnosis: aDiagnosis() });
  for (const lie of [
    'pump-7',
    '8.434 bar',
    '82 %',
    'since 00:00:03 UTC',
    '2 Jan 2026',
    'lasted 9 min',
    'E4',
    'leak',
  ])
    assert.notDeepEqual(unfounded(`It is ${lie}.`, one), [], lie);
  for (const truth of ['pump-1', '8.43 bar', '81 %', 'since 00:00:02 UTC', '1 Jan 2026', 'lasted 14 s', 'E3'])
    assert.deepEqual(unfounded(`It is ${truth}.`, one), [], truth);
});
