/** The plot of an alarm without a browser: where things stand, and what they say. Its code is the page's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IncidentChannel, IncidentDetector } from '@edgeward/collector/alerts/incident';
import { axisOf, barOf, folded, trackOf } from '@edgeward/collector/web/alarm-layout';
import { channelSaid, detectorName, percent, verdictOf } from '@edgeward/collector/web/alarm-words';

function channel(changes: Partial<IncidentChannel> = {}): IncidentChannel {
  const base = { field: 'flow', unit: 'm3/h', value: 20, weight: 0.4, rows: 3, firstMs: 0 };
  return { ...base, direction: 'high', ...changes };
}

function by(detector: string, source: string): IncidentDetector {
  return { detector, source, score: 0.76, threshold: 0.5, explainedRows: 3, channels: [] };
}

const near = (found: number | undefined, wanted: number) =>
  assert.ok(found !== undefined && Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

test('the largest shares come first, and all beyond eight are folded away', () => {
  const weights = [0.05, 0.3, 0.01, 0.2, 0.04, 0.1, 0.02, 0.15, 0.06, 0.07];
  const channels = weights.map((weight, i) => channel({ weight, field: `c${i}` }));
  const { shown, more } = folded(channels);
  assert.deepEqual(
    shown.map(one => one.weight),
    [0.3, 0.2, 0.15, 0.1, 0.07, 0.06, 0.05, 0.04],
  );
  assert.deepEqual(
    more.map(one => one.weight),
    [0.02, 0.01],
  );
  assert.deepEqual(folded(channels.slice(0, 8)).more, []);
  assert.deepEqual(folded([]), { shown: [], more: [] });
});

test('bars go right for high, left for low, to both sides for neither; half of the track is the whole axis', () => {
  const high = barOf(channel({ weight: 0.25 }), 0.5);
  assert.deepEqual(high, { from: 0.5, to: 0.75 });
  assert.deepEqual(barOf(channel({ weight: 0.25, direction: 'low' }), 0.5), { from: 0.25, to: 0.5 });
  assert.deepEqual(barOf(channel({ weight: 0.5, direction: 'unusual' }), 0.5), { from: 0.25, to: 0.75 });
  assert.deepEqual(barOf(channel({ weight: 7 }), 1), { from: 0.5, to: 1 }, 'a share above all is all');
  assert.deepEqual(barOf(channel({ weight: -1 }), 1), { from: 0.5, to: 0.5 });
});

test('the axis is a quarter, a half or the whole, whatever holds the largest bar', () => {
  const axes = [0, 0.25, 0.26, 0.5, 0.51, 1].map(weight =>
    axisOf([channel({ weight: 0 }), channel({ weight })]),
  );
  assert.deepEqual(axes, [0.25, 0.25, 0.5, 0.5, 1, 1]);
  assert.equal(axisOf([]), 0.25);
});

test('a value stands where it lies on a track three usual ranges wide; farther out it is marked', () => {
  const at = (value: number | null) => trackOf(channel({ value, expected: [18, 24] }));
  near(at(18)?.at, 1 / 3);
  near(at(21)?.at, 1 / 2);
  near(at(27)?.at, 5 / 6);
  near(at(30)?.at, 1);
  assert.deepEqual(
    [at(18)?.isUsual, at(24)?.isUsual, at(24.1)?.isUsual, at(17.9)?.isUsual],
    [true, true, false, false],
  );
  assert.deepEqual([at(30)?.beyond, at(12)?.beyond], [undefined, undefined]);
  assert.deepEqual([at(30.1)?.at, at(30.1)?.beyond], [1, 'high']);
  assert.deepEqual([at(-1e300)?.at, at(-1e300)?.beyond], [0, 'low']);
  assert.deepEqual([at(null)?.at, at(null)?.isUsual], [undefined, false]);
  near(at(21)?.band?.from, 1 / 3);
});

test('a range without width is a line; what is off it lies beyond every scale', () => {
  const at = (value: number) => trackOf(channel({ value, expected: [0, 0] }));
  assert.deepEqual([at(0)?.at, at(0)?.isUsual, at(0)?.beyond], [0.5, true, undefined]);
  assert.deepEqual([at(0.1)?.at, at(0.1)?.beyond], [1, 'high']);
  assert.deepEqual([at(-3)?.at, at(-3)?.beyond], [0, 'low']);
});

test("a rule's limit is a line in the middle, with the forbidden side marked", () => {
  const at = (value: number | null, limit: number, direction: IncidentChannel['direction'] = 'high') =>
    trackOf(channel({ value, limit, direction, expected: [0, 1] }));
  const found = at(50, 40);
  assert.deepEqual([found?.limit, found?.band, found?.isUsual], [0.5, undefined, false]);
  near(found?.at, 0.75);
  assert.deepEqual(found?.forbidden, { from: 0.5, to: 1 });
  assert.deepEqual(at(30, 40, 'low')?.forbidden, { from: 0, to: 0.5 });
  near(at(30, 40, 'low')?.at, 0.25);
  near(at(40.001, 40)?.at, 0.56);
  near(at(40, 40)?.at, 0.5);
  assert.deepEqual([at(99, 40)?.at, at(99, 40)?.beyond], [1, 'high']);
  near(at(-6, -5, 'low')?.at, 0.3);
  assert.deepEqual([at(3, 0)?.at, at(3, 0)?.beyond], [1, undefined]);
  near(at(0, 0)?.at, 0.5);
  assert.equal(at(null, 40)?.at, undefined);
});

test('without a range and a limit there is no track', () => {
  assert.equal(trackOf(channel()), undefined);
});

test('channels are said in plain words', () => {
  const model = by('forest', 'r1');
  const expected = [18, 24] as const;
  const rule = by('rule', 'too-hot');
  const said = (changes: Partial<IncidentChannel>, who = model) => channelSaid(channel(changes), who);
  assert.equal(said({ value: 41, expected, unit: 'Cel' }), 'High at 41.00 °C, usually 18.00 to 24.00');
  assert.equal(
    said({ expected, direction: 'low' }),
    'Low for the situation at 20.00 m³/h, though within its usual 18.00 to 24.00',
  );
  assert.equal(said({ unit: null }), 'High at 20.00, no usual range known');
  assert.equal(said({ value: null, expected }), 'High, without a value, usually 18.00 to 24.00');
  assert.equal(said({ limit: 19, of: 'mean(flow, 10m)' }, rule), 'High at 20.00 m³/h, limit 19.00');
  assert.equal(said({}, rule), 'High at 20.00 m³/h, not compared with a fixed limit');
  assert.equal(
    said({ expected: [0, 16] }, by('quality', 'outOfRange')),
    'High at 20.00 m³/h, possible is 0.000 to 16.00',
  );
  assert.equal(said({ direction: 'unusual' }, by('quality', 'stuck')), 'Has not moved from 20.00 m³/h');
  assert.equal(
    said({ unit: null, expected }, by('drift', 'r1')),
    "High: the middle of a day's values is 20.00, usually 18.00 to 24.00",
  );
});

test('a share that would round to nothing is no zero', () => {
  assert.deepEqual([0, 0.001, 0.005, 0.374, 1].map(percent), ['0 %', '<1 %', '1 %', '37 %', '100 %']);
});

test('a detector says who it is, how sure, and from when on it speaks', () => {
  assert.equal(detectorName(by('forest', '8fc4')), 'Model 8fc4');
  assert.equal(verdictOf(by('forest', '8fc4')), 'score 0.76, alarm from 0.50 on');
  assert.equal(detectorName(by('rule', 'too-hot')), 'Rule too-hot');
  assert.equal(verdictOf(by('rule', 'too-hot')), 'score 0.76, as the rule says');
  assert.equal(detectorName(by('surprise', 'level, past 6 days')), 'Own past: level, past 6 days');
  assert.equal(detectorName(by('quality', 'stuck')), 'Stuck sensor');
  assert.equal(detectorName(by('quality', 'outOfRange')), 'Impossible reading');
  assert.match(verdictOf(by('drift', '8fc4')), /^76 % of a day's rows .* 50 %/);
});
