import assert from 'node:assert/strict';
import { test } from 'node:test';
import { episodesOf, pipelineTrainingRows } from './episodes.js';
import { type NabFile, nabFileOf, probationRows, scoreNab } from './nab.js';

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-9, `${found} instead of ${expected}`);

/** 20 rows: 3 to learn, a window of rows 8 to 11. */
const one: NabFile = { name: 'a.csv', rows: 20, windows: [[8, 11]] };
const told = (alarms: Readonly<Record<number, number>>) =>
  new Map([['a.csv', Array.from({ length: 20 }, (_, r) => alarms[r] ?? 0)]]);
const at = (alarms: Readonly<Record<number, number>>) => scoreNab([one], told(alarms), 'standard', 0.5);
const sigmoid = (place: number) => 2 / (1 + Math.exp(5 * place)) - 1;

test('an alarm at the first row of a window is 100, none is 0, a false one costs 0.11 of a window', () => {
  assert.deepEqual([at({ 8: 1 }).score, at({}).score], [100, 0]);
  const { score, hit, falseRows, windows } = at({ 5: 1 });
  // A window missed is −1 and one found +1, so that a window is worth 2.
  near(score, (100 * -0.11) / 2);
  assert.deepEqual([hit, falseRows, windows], [0, 1, 1]);
});

test('within a window only the best row counts, and later ones are worth less', () => {
  near(at({ 11: 1 }).score, (100 * (sigmoid(-1 / 4) / sigmoid(-1) + 1)) / 2);
  near(at({ 8: 1, 9: 1, 11: 1 }).score, 100);
  assert.ok(at({ 9: 1 }).score < at({ 8: 1 }).score);
});

test('soon after a window an alarm costs less than long after it', () => {
  near(at({ 8: 1, 12: 1 }).score, 100 + (100 * 0.11 * sigmoid(1 / 3)) / 2);
  // More than three lengths behind it is as far as any.
  const far: NabFile = { name: 'a.csv', rows: 40, windows: [[8, 9]] };
  const rows = Array.from({ length: 40 }, (_, r) => (r === 8 || r === 30 ? 1 : 0));
  near(scoreNab([far], new Map([['a.csv', rows]]), 'standard', 0.5).score, 100 - (100 * 0.11) / 2);
});

test('profiles weigh false rows and missed windows as they should', () => {
  near(scoreNab([one], told({ 5: 1, 8: 1 }), 'lowFP', 0.5).score, 100 - (100 * 0.22) / 2);
  near(scoreNab([one], told({ 5: 1 }), 'lowFN', 0.5).score, (100 * -0.11) / 3);
});

test('without a threshold the best one is found; rows of one score alarm together', () => {
  const best = scoreNab([one], told({ 8: 0.7, 15: 0.6, 5: 0.8 }), 'standard');
  near(best.score, 100 - (100 * 0.11) / 2);
  assert.deepEqual([best.threshold, best.falseRows], [0.7, 1]);
  const tied = scoreNab([one], told({ 8: 0.7, 15: 0.7, 5: 0.7 }), 'standard');
  assert.equal(tied.falseRows, 2);
  const noise = scoreNab([{ ...one, windows: [] }], told({ 5: 0.7 }), 'standard');
  assert.deepEqual([noise.score, noise.threshold], [0, Number.POSITIVE_INFINITY]);
});

test('rows to learn from never count: 15 %, at most 750', () => {
  assert.deepEqual([probationRows(20), probationRows(1000), probationRows(22_695)], [3, 150, 750]);
  assert.equal(at({ 0: 1, 2: 1 }).falseRows, 0);
  assert.equal(at({ 3: 1 }).falseRows, 1);
});

test('windows are found by their time stamps; a row without a score is an error', () => {
  const text = 'timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 00:05:00,2\n2014-01-01 00:10:00,3\n';
  const file = nabFileOf('a.csv', text, [['2014-01-01 00:05:00.000000', '2014-01-01 00:10:00.000000']]);
  assert.deepEqual(file, { name: 'a.csv', rows: 3, windows: [[1, 2]] });
  assert.throws(() => nabFileOf('a.csv', text, [['2014-01-01 00:06:00', '2014-01-01 00:10:00']]), TypeError);
  assert.throws(() => scoreNab([file], new Map([['a.csv', [0, 0]]]), 'standard'), /row 2 of a\.csv/);
});

test('alarms with at most a minute between them are one episode; the first 20 minutes do not count', () => {
  const rows = new Array<number>(pipelineTrainingRows + 1800).fill(0);
  for (const r of [0, 1199, 1200, 1201, 1261, 1322, 1323, 2000]) rows[r] = 1;
  // 1201 to 1261 are 60 rows, 1261 to 1322 are 61.
  assert.deepEqual(episodesOf(new Map([['job', rows]])), { hours: 0.5, episodes: 3, alarmRows: 6 });
  assert.equal(
    episodesOf(
      new Map([
        ['a', rows],
        ['b', rows],
      ]),
    ).episodes,
    6,
  );
});
