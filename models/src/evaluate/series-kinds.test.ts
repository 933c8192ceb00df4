import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { command } from './command.js';

const seed = testSeed('series');
let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'edgeward-series-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function data(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [file, content] of Object.entries(files)) {
    const to = path.join(folder, name, file);
    await mkdir(path.dirname(to), { recursive: true });
    await writeFile(to, content);
  }
  return path.join(folder, name);
}

async function evaluate(kind: string, from: string): Promise<string[][]> {
  const out = path.join(folder, `${kind}.csv`);
  const [stdout, stderr, { signal: stop }] = [new PassThrough(), new PassThrough(), new AbortController()];
  const io = { stdin: stdout, stdout, stderr, stop, deadline: stop };
  assert.equal(await command.run({ kind, data: from, out }, io), 0);
  const lines = (await readFile(out, 'utf8')).trimEnd().split('\n');
  return lines.map(line => line.split(','));
}

/** Two sensors; from row 600 to 800 the second is off. Labels as said. */
function pump(rows: number, label: (row: number) => string): string {
  const random = gaussian(seededRng(seed));
  const lines = Array.from({ length: rows }, (_, r) => {
    const time = new Date(Date.UTC(2026, 0, 5) + 1000 * r).toISOString().slice(0, 19).replace('T', ' ');
    return [time, random(), random() + (r >= 600 && r < 800 ? 9 : 0), label(r), label(r)].join(';');
  });
  return `datetime;a;b;anomaly;changepoint\n${lines.join('\n')}\n`;
}

test('skab: rows from the 400th of each file, in alarm while the fault lasts, whatever the labels say', async () => {
  const told = pump(900, r => (r >= 600 && r < 800 ? '1.0' : '0.0'));
  const from = await data('skab', {
    'valve1/0.csv': told,
    'other/7.csv': pump(900, () => 'none'),
    'anomaly-free.csv': 'x',
  });
  const [head, ...rows] = await evaluate('skab', from);
  assert.deepEqual(head, ['file', 'row', 'pred']);
  const expected = ['other/7', 'valve1/0'].flatMap(name =>
    Array.from({ length: 500 }, (_, r) => `${name},${r + 400}`),
  );
  assert.deepEqual(
    rows.map(([name, row]) => `${name},${row}`),
    expected,
  );
  const alarms = rows.map(([, , pred]) => Number(pred));
  assert.deepEqual(alarms.slice(0, 500), alarms.slice(500), 'labels have no part in it');
  assert.ok(!alarms.slice(0, 200).includes(1), `none before, SEED=${seed}`);
  assert.ok(alarms.slice(205, 400).every(pred => pred === 1));
  assert.ok(!alarms.slice(440, 500).includes(1), 'none long after');
  const cut = await data('cut', { 'valve1/0.csv': `${told.split('\n').slice(0, 701).join('\n')}\n` });
  const short = (await evaluate('skab', cut)).slice(1).map(([, , pred]) => Number(pred));
  assert.deepEqual(short, alarms.slice(0, 300), 'what comes after a row has no part in it');
});

test('pipeline: rows from the 1200th, −1 for a value that was not there', async () => {
  const random = gaussian(seededRng(seed));
  const lines = Array.from({ length: 1500 }, (_, r) =>
    [1e9 + r, r % 7 === 0 ? -1 : 100 + random(), r * 50 + Math.floor(5 * random()), r < 1300 ? 0 : r].join(),
  );
  const from = await data('pipeline', { 'job.csv': `t,delay,total,waiting\n${lines.join('\n')}\n` });
  const [head, ...rows] = await evaluate('pipeline', from);
  assert.deepEqual(head, ['file', 'row', 'pred']);
  assert.deepEqual([rows[0]?.slice(0, 2), rows.length], [['job', '1200'], 300]);
  const first = rows.findIndex(([, , pred]) => pred === '1');
  assert.ok(first >= 100 + 44 && first < 160, `what lasts is an alarm: row ${first}, SEED=${seed}`);
});

test('nab: every row has a score, above 0.5 where an alarm begins', async () => {
  const random = gaussian(seededRng(seed));
  const lines = Array.from({ length: 1000 }, (_, r) => {
    const time = new Date(Date.UTC(2026, 0, 5) + 300_000 * r).toISOString().slice(0, 19).replace('T', ' ');
    return `${time},${10 + random() + (r >= 800 ? 15 : 0)}`;
  });
  const from = await data('nab', { 'data/traffic/a.csv': `timestamp,value\n${lines.join('\n')}\n` });
  const [head, ...rows] = await evaluate('nab', from);
  assert.deepEqual(head, ['file', 'row', 'score']);
  assert.deepEqual([rows[999]?.slice(0, 2), rows.length], [['traffic/a.csv', '999'], 1000]);
  const alarms = [...rows.keys()].filter(r => Number(rows[r]![2]) >= 0.5 && r > 400);
  const soon = alarms.filter(r => r >= 800 && r < 803);
  // Of noise alone one alarm in some thousand rows is to be expected.
  assert.ok(soon.length > 0 && alarms.filter(r => r < 800).length <= 1, `${alarms}, SEED=${seed}`);
});

test('what cannot be read is told with file, line, column, value and remedy', async () => {
  const refused = async (kind: string, from: string, words: RegExp) =>
    assert.rejects(evaluate(kind, from), error => {
      assert.ok(error instanceof EdgewardError, messageOf(error));
      assert.match(error.message, words);
      return true;
    });
  const skab = (text: string, name: string) => data(name, { 'g/a.csv': text });
  await refused('skab', await data('flat', { 'a.csv': 'x' }), /has no folder in it\. Name the one/);
  await refused('skab', await skab('time;a\n', 'untimed'), /line 1: no column datetime in time, a/);
  await refused(
    'skab',
    await skab('datetime;a\nnoon;1\n', 'noon'),
    /line 2, column datetime: "noon" is no time/,
  );
  await refused(
    'skab',
    await skab(
      pump(300, () => '0'),
      'few',
    ),
    /a\.csv has 300 rows, and the first 400 are learned from/,
  );
});
