import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { CommandValues } from '@edgeward/shared/command';
import { EdgewardError, type ErrorCode, messageOf } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import type { ForestCard } from './card.js';
import { openModel } from './engines.js';
import { machineBatch, machineFields } from './testing/machine.js';
import { command } from './train-command.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-train-'));
  await writeFile(join(folder, 'normal.csv'), csv(800));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Two machines as CSV; from `faultAt` on labelled, if given. */
function csv(rows: number, faultAt?: number): string {
  const batch = machineBatch({ rows });
  const lines = Array.from(batch.time, (timeMs, r) => {
    const label = faultAt === undefined ? [] : [batch.row[r]! >= faultAt ? 'leak' : ''];
    const values = batch.values.map(column => Number(column[r]).toFixed(3));
    const device = batch.schema.devices[batch.device[r]!]!;
    return [new Date(timeMs).toISOString(), device, ...values, ...label].join();
  });
  const header = ['timestamp', 'device', ...machineFields, ...(faultAt === undefined ? [] : ['fault'])];
  return `${header.join()}\n${lines.join('\n')}\n`;
}

async function run(values: CommandValues): Promise<string> {
  const stdout = new PassThrough();
  const never = new AbortController().signal;
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: never, deadline: never };
  assert.equal(await command.run({ type: 'machine', trees: '20', method: 'forest', ...values }, io), 0);
  stdout.end();
  return text(stdout);
}

async function refused(
  content: string,
  code: ErrorCode,
  words: RegExp,
  more: CommandValues = {},
): Promise<void> {
  const input = join(folder, 'bad.csv');
  await writeFile(input, content);
  await assert.rejects(run({ input, out: join(folder, 'never'), ...more }), error => {
    assert.ok(error instanceof EdgewardError && error.code === code, messageOf(error));
    assert.match(error.message, words);
    return true;
  });
}

test('an extended forest is trained, read back and used like a plain one', async () => {
  const out = join(folder, 'extended');
  const card = JSON.parse(
    await run({
      input: join(folder, 'normal.csv'),
      out,
      forest: 'extended',
      'split-features': '3',
      json: true,
    }),
  ) as ForestCard;
  assert.equal(card.forest.featuresASplit, 3);
  assert.ok(card.forest.planes! > 10);
  for (const engine of ['onnx', 'typescript'] as const) {
    const { bundle, detector } = await openModel(out, { engine, log: silentLogger });
    assert.equal(bundle.card.revision, card.revision);
    await detector[Symbol.asyncDispose]();
  }
});

test('a contamination says how many of the training rows are in alarm, instead of a margin', async () => {
  const input = join(folder, 'normal.csv');
  const out = join(folder, 'contaminated');
  const card = async (contamination: string) =>
    JSON.parse(await run({ input, out, contamination, json: true })) as ForestCard;
  const [few, many] = [await card('0.01'), await card('0.4')];
  assert.ok(many.threshold < few.threshold && many.plainThreshold < few.plainThreshold);
  // Of the held-out rows it is about that share, too.
  const { falseAlarmShare } = many.metrics;
  assert.ok(falseAlarmShare > 0.2 && falseAlarmShare < 0.6, String(falseAlarmShare));
  for (const [values, words] of [
    [{ contamination: '0.6' }, /--contamination 0\.6: give a number from 0 to 0\.5/],
    [{ contamination: '0.1', margin: '1' }, /--contamination and --margin both say/],
  ] as const)
    await refused(csv(10), 'EW_USAGE', words, values);
});

test('CSV in, verified bundle out; the same input and seed give the same bytes', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map(name => join(folder, name, 'machine'));
  const input = join(folder, 'normal.csv');
  const table = await run({ input, out: a });
  assert.match(table, /trained on +1220 rows of 2 devices, 2023-11-14T22:13:20\.000Z to /);
  assert.match(table, /false alarms 0/);
  await run({ input, out: b });
  await run({ input, out: c, seed: '2' });
  for (const file of ['model.onnx', 'card.json', 'golden.json']) {
    assert.deepEqual(await readFile(join(a!, file)), await readFile(join(b!, file)), file);
  }
  assert.notDeepEqual(await readFile(join(a!, 'model.onnx')), await readFile(join(c!, 'model.onnx')));
  const { bundle, detector } = await openModel(a!, { log: silentLogger });
  assert.equal(bundle.card.deviceType, 'machine');
  assert.deepEqual(bundle.card.fields, [...machineFields]);
  await detector[Symbol.asyncDispose]();
});

test('labelled rows are left out and counted', async () => {
  const input = join(folder, 'labelled.csv');
  await writeFile(input, csv(1000, 900));
  const card = JSON.parse(await run({ input, out: join(folder, 'labelled'), json: true }));
  assert.equal(card.training.skippedRows, 202);
  assert.deepEqual(card.fields, [...machineFields]);
});

test('columns can be renamed and chosen; constant ones are left out; several files join', async () => {
  const header = 'timestamp,value,state,setpoint\n';
  const lines = (from: number) =>
    Array.from(
      { length: 700 },
      (_, i) =>
        `2026-01-0${from} ${new Date(60_000 * i).toISOString().slice(11, 19)},${Math.sin(i / 9)},on,5`,
    );
  const files = [1, 2].map(day => join(folder, `day-${day}.csv`));
  await Promise.all(files.map((file, i) => writeFile(file, header + lines(i + 1).join('\n'))));
  const options = { map: ['value=temperature'], fields: 'temperature,setpoint', json: true };
  const card = JSON.parse(await run({ input: files, out: join(folder, 'days'), ...options }));
  assert.deepEqual(card.fields, ['temperature']);
  assert.equal(card.training.devices, 2);
  assert.equal(card.training.stepMs, 60_000);
  assert.equal(card.training.fromMs, Date.UTC(2026, 0, 1));
});

test('seconds are told from milliseconds; a column without values is left out', async () => {
  const lines = csv(1000)
    .split('\n')
    .filter(line => line !== '')
    .map((line, i) => {
      const [time, ...cells] = line.split(',');
      return i === 0 ? `${line},spare` : `${Date.parse(time!) / 1000},${cells.join()},`;
    });
  const input = join(folder, 'seconds.csv');
  await writeFile(input, lines.join('\n'));
  const options = { input, out: join(folder, 'seconds'), method: 'channels' };
  const card = JSON.parse(await run({ ...options, json: true }));
  assert.deepEqual(card.fields, [...machineFields]);
  assert.equal(card.training.stepMs, 2000);
  assert.equal(card.training.fromMs, Date.parse('2023-11-14T22:13:20.000Z'));
  assert.match(await run(options), /^unused +spare$/m);
});

test('unusable input is refused with file, line, column, value and remedy', async () => {
  const rows = csv(600);
  const broken = rows.replace(/^((?:.*\n){6}[^,]*,[^,]*,)[^,]*/, '$1oops');
  await refused(broken, 'EW_TRAIN_INPUT', /bad\.csv: line 7, column pressure: "oops" is no number\. Correct/);
  await refused(
    rows.replace('2023-11-14T22:13:22.000Z', 'noon'),
    'EW_TRAIN_INPUT',
    /line 4, column timestamp: "noon"/,
  );
  await refused(rows.replace('\n2023', '\n7,2023'), 'EW_TRAIN_INPUT', /line 2: 6 cells instead of 5/);
  await refused('', 'EW_TRAIN_INPUT', /is empty/);
  await refused('a,b\n1,2\n', 'EW_TRAIN_INPUT', /line 1: no column timestamp/);
  await refused('\u0000\u0001binary', 'EW_TRAIN_INPUT', /no column timestamp/);
  await refused('timestamp,device\n', 'EW_TRAIN_INPUT', /no numeric column/);
  await refused(csv(400), 'EW_TRAIN_INPUT', /800 usable rows, fewer than 1000\. Record/);
  await refused(csv(600, 300), 'EW_TRAIN_INPUT', /598 usable rows after leaving out 602 labelled/);
  await refused(
    rows.replace(/,[\d.]+,[\d.]+,[\d.]+\n/g, ',1,2,3\n'),
    'EW_TRAIN_INPUT',
    /No column ever changes/,
  );
  await refused(rows, 'EW_TRAIN_INPUT', /no column speed, only timestamp/, { fields: 'speed' });
  await assert.rejects(run({ input: join(folder, 'no.csv'), out: 'x' }), /no\.csv cannot be read/);
});

test('mistaken options are usage errors', async () => {
  await refused(csv(600), 'EW_USAGE', /--trees many: give a number from 10 to 1000/, { trees: 'many' });
  await refused(csv(600), 'EW_USAGE', /--trees 20.5: give a whole number/, { trees: '20.5' });
  const huge = { trees: '1000', samples: '4096' };
  for (const method of ['forest', 'channels']) {
    const words =
      /The first \d{2,3} of 1000 trees have \d+ nodes.*refuse a model of more than 65536.*fewer trees/;
    await refused(csv(1000), 'EW_TRAIN_INPUT', words, { ...huge, method });
  }
  await refused(csv(600), 'EW_USAGE', /--map value: write COLUMN=FIELD/, { map: ['value'] });
  await refused(csv(600), 'EW_USAGE', /--type "a b"/, { type: 'a b' });
});

test('quoted cells, byte order mark, CRLF and empty cells are understood', async () => {
  const odd = csv(600)
    .replace('timestamp,device', '\uFEFF"timestamp","device"')
    .replaceAll('machine-1', '"machine ""1"", left"')
    .replace(/(\n[^\n]*,)[\d.]+\n/, '$1\n')
    .replaceAll('\n', '\r\n');
  const input = join(folder, 'odd.csv');
  await writeFile(input, odd);
  const card = JSON.parse(await run({ input, out: join(folder, 'odd'), json: true }));
  assert.deepEqual(card.fields, [...machineFields]);
  assert.equal(card.training.devices, 2);
});
