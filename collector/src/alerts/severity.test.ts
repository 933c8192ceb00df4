import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import type { Incident } from './incident.js';
import { type Judged, peakOf, raised, severityOf, withSeverity } from './severity.js';

const threshold = 0.5;
/** @param above  share of the way from the threshold to certainty */
function judged(above: number, channels: number, lastsS: number, more: Partial<Judged> = {}): Judged {
  return {
    detector: 'forest',
    peakScore: threshold + above * (1 - threshold),
    threshold,
    channels: Array.from({ length: channels }, () => ({ weight: 1 / channels })),
    firstMs: 1_000_000,
    lastMs: 1_000_000 + 1000 * lastsS,
    ...more,
  };
}

const asset = (criticality: 'high' | 'low') => ({
  asset: { path: 'a/b/c', level: 'machine' as const, criticality },
});
const cause = (
  severity: 'none' | 'info' | 'warning' | 'critical',
  verdict: 'likely' | 'possible' = 'likely',
) => ({
  diagnosis: aDiagnosis({ verdict, causes: [{ ...aDiagnosis().causes[0]!, severity }] }),
});
const rule = { detector: 'rule', peakScore: 1, threshold: 1 };

/** excess, channels, seconds, more; then for an asset of normal, high and low criticality. */
const table: readonly [string, number, number, number, Partial<Judged>, string, string, string][] = [
  ['just above, one channel, short', 0.02, 1, 10, {}, 'info', 'info', 'info'],
  ['just above, lasting', 0.02, 1, 60, {}, 'warning', 'warning', 'warning'],
  ['just above, two channels', 0.02, 2, 10, {}, 'warning', 'warning', 'warning'],
  ['clear', 0.25, 1, 10, {}, 'warning', 'warning', 'warning'],
  ['clear, two channels', 0.25, 2, 10, {}, 'warning', 'critical', 'warning'],
  ['clear, three channels', 0.25, 3, 10, {}, 'critical', 'critical', 'warning'],
  ['clear, 20 s', 0.25, 1, 20, {}, 'warning', 'critical', 'warning'],
  ['clear, a minute', 0.25, 1, 60, {}, 'critical', 'critical', 'warning'],
  ['strong', 0.4, 1, 10, {}, 'warning', 'critical', 'warning'],
  ['extreme', 0.55, 1, 10, {}, 'critical', 'critical', 'warning'],
  ['not clear, wide and long', 0.15, 5, 600, {}, 'warning', 'warning', 'warning'],
  ['a rule that is certain', 0, 1, 0, rule, 'critical', 'critical', 'critical'],
  ['a sensor', 0.9, 5, 600, { detector: 'quality' }, 'warning', 'warning', 'warning'],
  ['a surprise', 0.9, 5, 600, { detector: 'surprise' }, 'warning', 'warning', 'warning'],
  [
    'clear, half of the machine',
    0.25,
    1,
    10,
    { extent: { devices: 2, of: 4 } },
    'critical',
    'critical',
    'warning',
  ],
  ['clear, less than half', 0.25, 1, 10, { extent: { devices: 2, of: 5 } }, 'warning', 'warning', 'warning'],
  ['clear, two of nobody knows', 0.25, 1, 10, { extent: { devices: 2 } }, 'warning', 'warning', 'warning'],
  [
    'clear, three of nobody knows',
    0.25,
    1,
    10,
    { extent: { devices: 3 } },
    'critical',
    'critical',
    'warning',
  ],
  ['likely a critical cause', 0.02, 1, 10, cause('critical'), 'critical', 'critical', 'warning'],
  ['possibly a critical cause', 0.02, 1, 10, cause('critical', 'possible'), 'info', 'info', 'info'],
  ['extreme, likely no fault', 0.9, 1, 10, cause('none'), 'warning', 'warning', 'warning'],
  ['a rule that is not certain', 0.6, 1, 0, { detector: 'rule' }, 'critical', 'critical', 'critical'],
  ['a rule, likely no fault', 0, 1, 0, { ...rule, ...cause('none') }, 'critical', 'critical', 'critical'],
];

for (const [what, above, channels, lastsS, more, normal, high, low] of table)
  test(`severity: ${what}`, () => {
    const of = (changes: Partial<Judged>) =>
      severityOf(judged(above, channels, lastsS, { ...more, ...changes }));
    assert.deepEqual([of({}), of(asset('high')), of(asset('low'))], [normal, high, low]);
  });

test('the peak is kept while it is above, and only what tops it raises', () => {
  const warning = { severity: 'warning' } as Incident;
  const critical = raised(warning, 'critical');
  assert.deepEqual(critical, { severity: 'critical' });
  const fallen = withSeverity(critical, 'warning');
  assert.deepEqual(fallen, { severity: 'warning', peakSeverity: 'critical' });
  assert.equal(raised(fallen, 'critical'), fallen, 'it rises by what rows show');
  assert.equal(peakOf(fallen), 'critical');
  assert.deepEqual(withSeverity(fallen, 'critical'), { severity: 'critical' });
});
