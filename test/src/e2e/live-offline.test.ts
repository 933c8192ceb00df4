/** What an agent says of rows is what `edgeward score` says of them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { machineBatch } from '@edgeward/models/testing/machine';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { testSeed } from '@edgeward/shared/testing/seed';
import { detectionData } from '../detection/quality/data.js';
import { edgeward, LiveRig, type LiveRow, type OfflineRow, scoreOffline } from '../support/live-rig.js';
import { Workbench } from '../support/processes.js';

/** Scores travel rounded to four decimals; but for that they are equal to a millionth. */
const rounding = 0.5e-4 + 1e-6;

function csvOf({ schema, time, device, values }: RecordBatch): string {
  const head = ['timestamp', 'device', ...schema.fields.map(({ name }) => name)];
  const lines = Array.from(time, (timeMs, r) =>
    [
      new Date(timeMs).toISOString(),
      schema.devices[device[r]!],
      ...values.map(column => Number(column[r])),
    ].join(),
  );
  return `${[head.join(), ...lines].join('\n')}\n`;
}

function assertSame(live: readonly LiveRow[], offline: readonly OfflineRow[], revision: string): void {
  const key = ({ device, time }: Pick<LiveRow, 'device' | 'time'>) => `${device} ${time}`;
  const found = new Map(live.map(row => [key(row), row]));
  assert.deepEqual([live.length, found.size], [offline.length, offline.length], 'each row once');
  for (const row of offline) {
    const told = found.get(key(row))!;
    assert.equal(told.model, revision);
    assert.equal(told.anomaly, row.anomaly, key(row));
    assert.equal(told.quality.includes('warmUp'), row.warmUp, key(row));
    assert.equal(told.score === null, row.score === null, key(row));
    if (told.score !== null && row.score !== null)
      assert.ok(Math.abs(told.score - row.score) <= rounding, `${key(row)}: ${told.score}, ${row.score}`);
  }
}

interface Learned {
  readonly model: string;
  readonly revision: string;
  readonly warmUpRows: number;
}

async function learn(folder: string, csv: string): Promise<Learned> {
  const model = path.join(folder, 'model');
  await edgeward('train', '--method', 'channels', '--type', 'machine', '--input', csv, '--out', model);
  const card = JSON.parse(readFileSync(path.join(model, 'card.json'), 'utf8')) as {
    revision: string;
    channels: { warmUpRows: number };
  };
  return { model, revision: card.revision, warmUpRows: card.channels.warmUpRows };
}

/** Two machines; from row 500 of 700 their flow is too low. */
function write(folder: string, seed: number) {
  const files = { usual: path.join(folder, 'usual.csv'), faulty: path.join(folder, 'faulty.csv') };
  const fault = { field: 'flow', from: 500, offset: -6 } as const;
  writeFileSync(files.usual, csvOf(machineBatch({ rows: 3000, seed })));
  writeFileSync(files.faulty, csvOf(machineBatch({ rows: 700, seed: seed + 1, fault })));
  return files;
}

test('rows of two machines have the same scores, alarms and revision through agent, MQTT and journal', {
  timeout: 90_000,
}, async () => {
  const seed = testSeed('live = offline');
  await using bench = new Workbench();
  const { usual, faulty } = write(bench.folder, seed);
  const { model, revision } = await learn(bench.folder, usual);
  const offline = await scoreOffline(model, faulty, path.join(bench.folder, 'scores.csv'));
  assert.ok(offline.some(({ anomaly }) => anomaly) && offline.some(row => row.score && !row.anomaly));
  const rig = await LiveRig.start(bench, { csv: faulty, type: 'machine', model, speed: 'max' });
  rig.startAgent();
  await rig.untilWritten(offline.length);
  assertSame(rig.rows(), offline, revision);
});

test('after kill -9 of the agent rows are marked as warm-up again', { timeout: 90_000 }, async () => {
  const seed = testSeed('warm-up after kill -9');
  await using bench = new Workbench();
  const { usual, faulty } = write(bench.folder, seed);
  const { model, warmUpRows } = await learn(bench.folder, usual);
  // 400 rows a second.
  const rig = await LiveRig.start(bench, { csv: faulty, type: 'machine', model, speed: 400 });
  const agent = rig.startAgent();
  await rig.untilWritten(400);
  await agent.end('SIGKILL');
  rig.startAgent();
  await rig.untilWritten(1400);
  const rows = rig.rows();
  const epochs = [...new Set(rows.map(({ epoch }) => epoch))];
  assert.equal(epochs.length, 2);
  for (const epoch of epochs)
    for (const device of ['machine-1', 'machine-2']) {
      const own = rows.filter(row => row.epoch === epoch && row.device === device);
      own.sort((a, b) => a.row - b.row);
      assert.ok(own.length > warmUpRows);
      for (const [r, { quality, score, anomaly }] of own.entries()) {
        const early = r < warmUpRows;
        assert.deepEqual([quality.includes('warmUp'), score === null], [early, early], `${device}, row ${r}`);
        assert.ok(!(early && anomaly));
      }
    }
});

const skab = detectionData('skab');
if (skab !== undefined)
  test('so have rows of a SKAB file', { timeout: 90_000 }, async () => {
    await using bench = new Workbench();
    const [, ...lines] = readFileSync(path.join(skab, 'valve1', '0.csv'), 'utf8')
      .trimEnd()
      .split(/\r?\n/);
    const rows = lines.map(line => {
      const [time, ...values] = line.split(';');
      return [`${time!.replace(' ', 'T')}Z`, 'pump-1', ...values.slice(0, 8)].join();
    });
    const head = ['timestamp', 'device', ...Array.from({ length: 8 }, (_, c) => `c${c + 1}`)].join();
    const [first, all] = [path.join(bench.folder, 'first.csv'), path.join(bench.folder, 'all.csv')];
    writeFileSync(first, `${[head, ...rows.slice(0, 400)].join('\n')}\n`);
    writeFileSync(all, `${[head, ...rows].join('\n')}\n`);
    const { model, revision } = await learn(bench.folder, first);
    const offline = await scoreOffline(model, all, path.join(bench.folder, 'scores.csv'));
    assert.ok(offline.some(({ anomaly }) => anomaly));
    const rig = await LiveRig.start(bench, { csv: all, type: 'machine', model, speed: 'max' });
    rig.startAgent();
    await rig.untilWritten(rows.length);
    assertSame(rig.rows(), offline, revision);
  });
