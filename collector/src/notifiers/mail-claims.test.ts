/**
 * Every number, name and word of a mail has to come from its incident or from the template. This parser shares nothing
 * with what renders mails: it takes away what the incident says, then what is known of the template, and nothing may
 * be left.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '@edgeward/shared/testing/properties';
import type { Incident } from '../alerts/incident.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import { anIncident } from '../testing/an-incident.js';
import { type MailKind, renderMail } from './mail.js';

/** All words that the template may say by itself. */
const template = new Set(
  `a about affected after against alarm also an and anomaly another answering are as become becomes been began behaves
  below beyond broken by can cause causes change channel channels clock closed comes component compared critical data
  day detector details device digest direction does drift drifted each edgeward else evidence explains extreme far
  field first flagged for forest from gateway guesses happened has have high how id implausible in incident info is
  isolation it its judged known language lasted last lay lies likely limit limits look low machine mail main model
  models moved most much name no nobody none not of on one only open or ordinary other outside over own past physically
  points possible quality reaches reading readings recommended rise rose row rows rule s says score scored sends sent
  severity share showed shown since site so sure than that the these they think this same timeline to too told trained unknown
  unlike unusual unusually until usual usually utc value warning was we weak were what when why wiring with within words
  wording you who counts range without looks do sensor rather a possible at all were which named `.split(
    /\s+/,
  ),
);

const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const unitMs: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  s: 1000,
  ms: 1,
};

interface Known {
  readonly strings: readonly string[];
  readonly numbers: readonly number[];
  readonly timesMs: readonly number[];
}

function knownOf(value: unknown, key = ''): Known {
  if (typeof value === 'string') return { strings: [value], numbers: [], timesMs: [] };
  if (typeof value === 'number')
    return key.endsWith('Ms')
      ? { strings: [], numbers: [], timesMs: [value] }
      : { strings: [], numbers: [value], timesMs: [] };
  if (typeof value !== 'object' || value === null) return { strings: [], numbers: [], timesMs: [] };
  const parts = Object.entries(value).map(([name, one]) => knownOf(one, Array.isArray(value) ? key : name));
  return {
    strings: parts.flatMap(({ strings }) => strings),
    numbers: parts.flatMap(({ numbers }) => numbers),
    timesMs: parts.flatMap(({ timesMs }) => timesMs),
  };
}

/** What the text says and the incident does not. */
function unfounded(text: string, incident: Incident): string[] {
  const { strings, numbers, timesMs } = knownOf(incident);
  const foreign: string[] = [];
  let rest = text.replaceAll('\u00a0', ' ');
  const take = (pattern: RegExp, isFounded: (found: RegExpExecArray) => boolean) => {
    rest = rest.replaceAll(pattern, (...found) => {
      if (!isFounded(found as unknown as RegExpExecArray)) foreign.push(found[0]);
      return ' ';
    });
  };
  rest = rest
    .replaceAll('(0 is ordinary, 1 is extreme)', ' ')
    .replaceAll('Usual is what 98 % of the rows', ' ');
  for (const known of [...new Set(strings)].sort((a, b) => b.length - a.length))
    if (known !== '')
      take(new RegExp(`(?<![\\p{L}\\p{N}])${escaped(known)}(?![\\p{L}\\p{N}])`, 'gu'), () => true);
  const dates = timesMs.map(ms => new Date(ms));
  const clocks = new Set(dates.map(date => date.toISOString().slice(11, 19)));
  const days = new Set(
    dates.map(date => `${date.getUTCDate()} ${date.toUTCString().slice(8, 11)} ${date.getUTCFullYear()}`),
  );
  take(new RegExp(`\\d{1,2} (?:${months}) \\d{4}`, 'g'), ([day]) => days.has(day));
  take(/\d\d:\d\d:\d\d/g, ([clock]) => clocks.has(clock));
  take(/(\d+) (d|h|min|s|ms)\b(?: (\d+) (h|min|s)\b)?/g, ([, count, unit, more, small]) => {
    const least = unitMs[small ?? unit!]!;
    const ms = Number(count) * unitMs[unit!]! + Number(more ?? 0) * least;
    return timesMs.some(a => timesMs.some(b => Math.abs(a - b - ms) <= least));
  });
  take(/^\s*\d+\.(?=\s)/gm, () => true);
  take(/(\d+) %/g, ([, share]) => numbers.some(one => Math.abs(100 * one - Number(share)) <= 0.5000001));
  take(/[−-]?\d+(?:\.(\d+))?(?:e([+−-]?\d+))?/g, ([whole, decimals = '', power = '0']) => {
    const value = Number(whole!.replaceAll('−', '-'));
    const unit = 10 ** (Number(power.replace('−', '-')) - decimals.length);
    return numbers.some(one => Math.abs(one - value) <= 0.5000001 * unit);
  });
  take(/[\p{L}\p{N}_]+/gu, ([word]) => template.has(word.toLowerCase()));
  return foreign;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** What a reader sees, a line for each block. */
function readable(html: string): string {
  const entities: Readonly<Record<string, string>> = {
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    '#39': "'",
    nbsp: '\u00a0',
  };
  return html
    .replace(/^[\s\S]*<\/head>/, '')
    .replaceAll(/<\/?(?:wbr|b|bdi|span)\b[^>]*>/g, '')
    .replaceAll(/<[^>]*>/g, '\n')
    .replaceAll(/&([a-z#0-9]+);/g, (_, name: string) => entities[name] ?? '?');
}

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

const kinds: readonly MailKind[] = ['opened', 'critical', 'closed'];

test('no number, name or word in a mail that its incident does not have', () => {
  fc.assert(
    fc.property(incident, fc.constantFrom(...kinds), fc.boolean(), (one, kind, diagnosed) => {
      const { diagnosis: found, ...bare } = one;
      const told = diagnosed ? one : bare;
      const { subject, text, html } = renderMail({ kind, incident: told }, 'https://page.example');
      const link = new RegExp(`https://page\\.example/#/incident/${told.id}`, 'g');
      assert.deepEqual(unfounded(subject, told), []);
      assert.deepEqual(unfounded(text.replaceAll(link, ' '), told), []);
      assert.deepEqual(unfounded(readable(html), told), []);
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
