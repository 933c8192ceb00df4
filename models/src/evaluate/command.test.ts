import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { CommandValues } from '@edgeward/shared/command';
import { EdgewardError, type ErrorCode, messageOf } from '@edgeward/shared/errors';
import { gaussian, seededRng } from '@edgeward/shared/rng';
import { command } from './command.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'edgeward-evaluate-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A folder of files, by name. */
async function data(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const at = path.join(folder, name);
  await mkdir(at);
  for (const [file, content] of Object.entries(files)) await writeFile(path.join(at, file), content);
  return at;
}

/** 300 rows around 0; the last one, labelled, far out. */
function cloud(labelOf: (row: number) => string | number): string {
  const random = gaussian(seededRng(3));
  const lines = Array.from({ length: 300 }, (_, r) => {
    const values = r === 299 ? [9, -9] : [random(), random()];
    return [values[0], labelOf(r), values[1]].join();
  });
  return `f0,label,f1\n${lines.join('\n')}\n`;
}

const trueLabels = cloud(r => (r === 299 ? 1 : 0));

async function evaluate(values: CommandValues, stop = new AbortController().signal): Promise<number> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  return command.run({ kind: 'tabular', ...values }, { stdin: stdout, stdout, stderr, stop, deadline: stop });
}

/** Its lines, the head first. */
async function predictions(values: CommandValues, name = 'out.csv'): Promise<string[]> {
  const out = path.join(folder, name);
  assert.equal(await evaluate({ seeds: '2', ...values, out }), 0);
  const bytes = await readFile(out);
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  assert.ok(text.endsWith('\n'));
  return text.trimEnd().split('\n');
}

test('every row of every file has a score a seed, and the row that is far out the highest', async () => {
  const one = await data('one', { 'b.csv.gz': gzipSync(trueLabels), 'a.csv': trueLabels, 'notes.txt': 'x' });
  const two = await data('two', { 'c.csv': trueLabels.replaceAll('\n', '\r\n') });
  const [head, ...lines] = await predictions({ data: [one, two] });
  assert.equal(head, 'dataset,seed,row,score');
  const expected = ['a', 'b', 'c'].flatMap(name =>
    ['1', '2'].flatMap(seed => Array.from({ length: 300 }, (_, r) => `${name},${seed},${r}`)),
  );
  assert.deepEqual(
    lines.map(line => line.slice(0, line.lastIndexOf(','))),
    expected,
  );
  const scores = lines.map(line => Number(line.split(',')[3]));
  for (let from = 0; from < scores.length; from += 300) {
    const highest = Math.max(...scores.slice(from, from + 300));
    assert.equal(scores[from + 299], highest);
    assert.ok(highest > 0.6 && highest <= 1);
  }
  assert.notDeepEqual(scores.slice(0, 300), scores.slice(300, 600), 'seeds differ');
  assert.deepEqual(scores.slice(0, 600), scores.slice(600, 1200), 'the same rows score the same');
});

test('an extended forest finds the row that is far out, too, and scores differently', async () => {
  const one = await data('extended', { 'a.csv': trueLabels });
  const [plain, extended] = [
    await predictions({ data: one, seeds: '1' }),
    await predictions({ data: one, seeds: '1', forest: 'extended' }),
  ];
  const scores = extended.slice(1).map(line => Number(line.split(',')[3]));
  assert.equal(Math.max(...scores), scores[299]);
  assert.notDeepEqual(plain, extended);
  await refused(
    { data: one, forest: 'random' },
    'EW_USAGE',
    /--forest random: give one of isolation, extended/,
  );
});

test('labels have no part in it', async () => {
  const told = await data('told', { 'a.csv': trueLabels });
  const untold = await data('untold', { 'a.csv': cloud(() => 'unknown') });
  assert.deepEqual(await predictions({ data: told }), await predictions({ data: untold }, 'out.csv.gz'));
});

test('an empty cell is a missing value', async () => {
  const gaps = await data('gaps', { 'a.csv': trueLabels.replace(/\n[^,]*,/, '\n,') });
  const lines = await predictions({ data: gaps });
  assert.ok(lines.slice(1).every(line => Number(line.split(',')[3]) > 0));
});

async function refused(values: CommandValues, code: ErrorCode, words: RegExp): Promise<void> {
  await assert.rejects(evaluate({ out: path.join(folder, 'never.csv'), ...values }), error => {
    assert.ok(error instanceof EdgewardError && error.code === code, messageOf(error));
    assert.match(error.message, words);
    return true;
  });
}

test('data that cannot be used is told by folder, file, line, column, value and remedy', async () => {
  let cases = 0;
  const refusedData = async (files: Readonly<Record<string, string | Uint8Array>>, words: RegExp) =>
    refused({ data: await data(`bad-${cases++}`, files) }, 'EW_EVALUATE_INPUT', words);
  await refused(
    { data: path.join(folder, 'nowhere') },
    'EW_EVALUATE_INPUT',
    /--data .*nowhere cannot be read: ENOENT/,
  );
  await refusedData({ 'a.txt': '' }, /bad-0 has no file ending in \.csv or \.csv\.gz\. Name the folder/);
  await refusedData(
    { 'a.csv': 'f0,f1\n1,2\n3,warm\n' },
    /a\.csv: line 3, column f1: "warm" is no number up to 3\.4e38\. Correct/,
  );
  await refusedData({ 'a.csv': 'f0,f1\n1,2\n3\n' }, /a\.csv: line 3: 1 cells instead of 2/);
  await refusedData({ 'a.csv': 'f0\n1\n1e999\n' }, /"1e999" is no number/);
  await refusedData({ 'a.csv': 'f0\n1\n1e39\n' }, /"1e39" is no number/);
  await refusedData({ 'a.csv': '' }, /a\.csv is empty/);
  await refusedData({ 'a.csv': 'label\n1\n' }, /no column but label/);
  await refusedData({ 'a.csv': 'f0\n1\n' }, /a\.csv has 1 rows.*needs at least 2/);
  await refusedData(
    { 'a.csv.gz': gzipSync(trueLabels).subarray(0, 900) },
    /a\.csv\.gz cannot be read: .*end of file/,
  );
  await refusedData({ 'a.csv': trueLabels, 'a.csv.gz': gzipSync(trueLabels) }, /a\.csv.* have the same name/);
});

test('options that are wrong, of another kind or a file that cannot be written', async () => {
  const one = await data('right', { 'a.csv': trueLabels });
  await refused({ data: one, seeds: '0' }, 'EW_USAGE', /--seeds 0: give a number from 1 to 100/);
  await refused({ data: one, window: '5' }, 'EW_USAGE', /--window is no option of tabular/);
  await refused(
    { data: one, out: path.join(folder, 'no', 'out.csv') },
    'EW_USAGE',
    /--out .* cannot be written \(ENOENT/,
  );
});

test('a stop ends it early, with exit code 1', async () => {
  const one = await data('stopped', { 'a.csv': trueLabels });
  const stop = new AbortController();
  const running = evaluate({ data: one, out: path.join(folder, 'cut.csv'), seeds: '100' }, stop.signal);
  stop.abort();
  assert.equal(await running, 1);
});
