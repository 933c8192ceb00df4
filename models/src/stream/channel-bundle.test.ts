import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { hasBit, setBit } from '@edgeward/shared/batch';
import type { Command, CommandValues } from '@edgeward/shared/command';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { selectRows } from '@edgeward/shared/select-rows';
import { createChannelBundle, readBundle, writeBundle } from '../bundle.js';
import type { ChannelCard } from '../card.js';
import { openModel } from '../engines.js';
import { scorePlain } from '../plain.js';
import { command as score } from '../score-command.js';
import { Scorer } from '../scorer.js';
import { sliceBatch } from '../slice-batch.js';
import { machineBatch, machineFields } from '../testing/machine.js';
import { command as train } from '../train-command.js';
import { usualTraining } from '../train-table.js';
import { trainChannelBundle } from './channel-bundle.js';

let folder = '';
let out = '';
/** Enough to see its load come and go. */
const usual = machineBatch({ rows: 12_000 });
const faulty = machineBatch({ rows: 400, seed: 9, fault: { field: 'flow', from: 250, offset: -6 } });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-channels-'));
  out = join(folder, 'machine');
  await writeFile(join(folder, 'usual.csv'), csv(usual));
  await writeFile(join(folder, 'faulty.csv'), csv(faulty));
  await run(train, { type: 'machine', input: join(folder, 'usual.csv'), out, trees: '30' });
});
after(() => rm(folder, { recursive: true, force: true }));

function csv(batch: typeof usual, label?: (row: number) => string): string {
  const lines = Array.from(batch.time, (timeMs, r) =>
    [
      new Date(timeMs).toISOString(),
      batch.schema.devices[batch.device[r]!],
      ...batch.values.map(column => Number(column[r])),
      ...(label ? [label(r)] : []),
    ].join(),
  );
  return `${['timestamp', 'device', ...machineFields, ...(label ? ['label'] : [])].join()}\n${lines.join('\n')}\n`;
}

async function run(command: Command, values: CommandValues): Promise<string> {
  const [stdout, { signal }] = [new PassThrough(), new AbortController()];
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: signal, deadline: signal };
  assert.equal(await command.run(values, io), 0);
  stdout.end();
  return text(stdout);
}

async function refused(command: Command, values: CommandValues, words: RegExp): Promise<void> {
  await assert.rejects(run(command, values), error => {
    assert.ok(error instanceof EdgewardError, messageOf(error));
    assert.match(error.message, words);
    return true;
  });
}

test('several columns are learned as channels; the same input and seed give the same bytes', async () => {
  const input = join(folder, 'usual.csv');
  const again = join(folder, 'again', 'machine');
  const table = await run(train, { type: 'machine', input, out: again, trees: '30' });
  assert.match(table, /channels +pressure \(roaming\), flow \(roaming\), current \(roaming\)/);
  assert.match(table, /threshold +\S+ times the edge of the usual/);
  assert.match(table, /held-out rows +4800; .* false alarms 0/);
  for (const file of ['model.onnx', 'card.json', 'golden.json'])
    assert.deepEqual(await readFile(join(out, file)), await readFile(join(again, file)), file);
});

test('edgeward score says of each row what the scorer of an agent says, with reasons', async () => {
  const to = join(folder, 'scores.csv');
  const input = join(folder, 'faulty.csv');
  await run(score, { model: out, input, out: to });
  const [head, ...lines] = (await readFile(to, 'utf8')).trimEnd().split('\n');
  assert.equal(head, 'file,row,timestamp,device,score,anomaly,warm_up,reasons');
  const model = await openModel(out, { log: silentLogger });
  await using scorer = new Scorer({ models: [model], log: silentLogger });
  const parts = [];
  for (let from = 0; from < 800; from += 70)
    parts.push(await scorer.process(sliceBatch(faulty, from, Math.min(800, from + 70))));
  const live = parts.flatMap(part => [...part.score!]);
  const flags = parts.flatMap(part => [...part.anomaly!]);
  for (const [r, line] of lines.entries()) {
    const [, row, , device, told, anomaly, warmUp] = line.split(',');
    assert.deepEqual([Number(row), device], [r, faulty.schema.devices[faulty.device[r]!]]);
    assert.equal(Number(anomaly), flags[r]);
    assert.equal(told === '', Number.isNaN(live[r]!));
    assert.equal(warmUp === '1', told === '');
    // The scorer rounds to four decimals, as rows travel.
    if (told) assert.ok(Math.abs(Number(told) - live[r]!) <= 5.1e-5, line);
  }
  const first = flags.indexOf(1);
  assert.ok(faulty.row[first]! >= 250 && faulty.row[first]! < 260, `row ${faulty.row[first]}`);
  assert.match(lines[first]!, /"?flow low -?[\d.]+ \(/);
  assert.ok(parts.every(part => part.model === model.bundle.card.revision));
});

test('labels are left out of training, or with --label-free not looked at', async () => {
  const input = join(folder, 'labelled.csv');
  await writeFile(
    input,
    csv(usual, r => (r < 400 ? '1' : '0')),
  );
  const card = async (more: CommandValues) =>
    JSON.parse(
      await run(train, { type: 'machine', input, out: join(folder, 'l'), trees: '10', json: true, ...more }),
    ) as ChannelCard;
  const [told, free] = [await card({}), await card({ 'label-free': true })];
  assert.deepEqual([told.training.rows, told.training.skippedRows], [23_600, 400]);
  assert.deepEqual([free.training.rows, free.training.skippedRows], [24_000, 0]);
});

test('in which order rows are given changes nothing: what is missing or bad goes with its row', () => {
  const rows = machineBatch({ rows: 400 });
  const n = rows.time.length;
  const [missing, bad] = [new Uint8Array(n / 8), new Uint8Array(n)];
  for (let r = 20; r < 300; r += 7) setBit(missing, r);
  for (let r = 101; r < 200; r += 3) bad[r] = Quality.outOfRange;
  const values = rows.values.map((column, f) =>
    Float64Array.from(column as Float64Array, (value, r) =>
      (f === 0 && hasBit(missing, r)) || (f === 1 && bad[r]! > 0) ? 1e6 : value,
    ),
  );
  const batch = {
    ...rows,
    values,
    missing: [missing, undefined, undefined],
    fieldQuality: [undefined, bad, undefined],
  };
  const half = (from: number) => Array.from({ length: n / 2 }, (_, i) => from + i);
  const turned = selectRows(batch, Uint32Array.from([...half(n / 2), ...half(0)]));
  const options = { ...usualTraining, name: 'm', source: 's', trees: 10 };
  const [own, other] = [batch, turned].map(one =>
    trainChannelBundle({ batch: one, skippedRows: 0 }, options),
  );
  assert.equal(own!.card.revision, other!.card.revision);
  assert.ok(own!.card.channels.plan.every(({ expected }) => expected[1] < 100));
});

test('more rows than --max-rows are refused', async () => {
  const input = join(folder, 'usual.csv');
  const values = { type: 'machine', input, out: join(folder, 'many'), 'max-rows': '5000' };
  await refused(train, values, /usual\.csv: line 5002: more than 5000 rows, .*--max-rows/);
});

test('a record that ends in another state than it began in is refused, unless that is accepted', async () => {
  const input = join(folder, 'broken.csv');
  const broken = machineBatch({ rows: 12_000, fault: { field: 'flow', from: 9700, offset: -6 } });
  await writeFile(input, csv(broken));
  const values = { type: 'machine', input, out: join(folder, 'broken'), trees: '10' };
  await refused(
    train,
    values,
    /last fifth .* unlike the rest: \d+ % of its rows would be alarms\. .*--accept-change/,
  );
  await run(train, { ...values, 'accept-change': true });
});

test('options of the other method are refused, as are columns that are not there', async () => {
  const values = { type: 'machine', input: join(folder, 'usual.csv'), out: join(folder, 'never') };
  await refused(
    train,
    { ...values, method: 'channels', margin: '1' },
    /--margin is no option of --method channels/,
  );
  await refused(train, { ...values, margin: '1', hold: '3' }, /--hold is no option of --method forest/);
  await refused(
    train,
    { ...values, 'alarms-a-day': '0' },
    /--alarms-a-day 0: give a number from 0\.0001 to 100/,
  );
  const renamed = join(folder, 'renamed.csv');
  await writeFile(renamed, csv(usual).replace('flow', 'Durchfluss'));
  const scoring = { model: out, input: renamed, out: join(folder, 'never.csv') };
  await refused(score, scoring, /no column flow/);
  await run(score, { ...scoring, map: 'Durchfluss=flow' });
});

test('a folder that is no bundle is not replaced, and scores are written whole or not at all', async () => {
  const input = join(folder, 'usual.csv');
  await refused(
    train,
    { type: 'machine', input, out: folder, trees: '10' },
    /is no model bundle \(it holds /,
  );
  const own = join(folder, 'own.csv');
  await writeFile(own, csv(faulty));
  await refused(
    score,
    { model: out, input: [own, join(folder, 'none.csv')], out: own },
    /none\.csv cannot be read/,
  );
  assert.equal(await readFile(own, 'utf8'), csv(faulty), 'as it was');
  await run(score, { model: out, input: own, out: own });
  assert.equal((await readFile(own, 'utf8')).trimEnd().split('\n').length, 801);
});

test('single rows without history are judged by how the channels fit together', async () => {
  const { bundle, detector } = await openModel(out, { log: silentLogger });
  await using _ = detector;
  const at = (r: number) =>
    Object.fromEntries(machineFields.map((field, c) => [field, Number(usual.values[c]![r])]));
  const [fine, off, unknown] = await scorePlain(detector, bundle.card, [
    { values: at(100) },
    { values: { ...at(100), flow: at(100).flow! - 8 } },
    { values: { colour: 3 } },
  ]);
  assert.ok(!fine!.anomaly && fine!.score < 0.5 && fine!.channels.length === 0);
  assert.ok(off!.anomaly && off!.score > 0.5);
  assert.deepEqual([off!.channels[0]?.field, off!.channels[0]?.direction], ['flow', 'low']);
  assert.deepEqual(unknown, { score: 0, anomaly: false, channels: [] });
});

test('a card whose views do not fit its plan is refused, however its hashes fit', async () => {
  const { card, forest, golden } = await readBundle(out);
  assert.ok(card.format === 2);
  const { format: _f, revision: _r, modelSha256: _s, ...draft } = card;
  const [view, ...others] = draft.channels.views;
  const changes: [RegExp, Partial<ChannelCard['channels']>][] = [
    [/view 0 has other columns/, { views: [{ ...view!, center: view!.center.slice(1) }, ...others] }],
    [/view 0 has other columns/, { views: [{ ...view!, whitening: [] }, ...others] }],
    [/view 0 has other columns/, { views: [{ ...view!, means: [99, ...view!.means.slice(1)] }, ...others] }],
    [/views are not what/, { views: others }],
    [
      /planned channels differ/,
      { plan: draft.channels.plan.map(one => ({ ...one, field: `${one.field}2` })) },
    ],
  ];
  for (const [words, change] of changes) {
    const directory = join(folder, 'hostile');
    const bundle = createChannelBundle(
      { ...draft, channels: { ...draft.channels, ...change } },
      forest,
      golden,
    );
    await assert.rejects(
      writeBundle(directory, bundle).then(() => readBundle(directory)),
      words,
    );
  }
});
