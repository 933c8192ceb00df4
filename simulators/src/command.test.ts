import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import type { CommandIo, CommandValues } from '@edgeward/shared/command';
import { hasCode } from '@edgeward/shared/errors';
import { command } from './command.js';
import { scenarioNames } from './scenarios.js';

/** SHA-256 of 20 minutes of mixed faults on two devices at seed 7: a change of these changes every run there ever was. */
const golden = {
  pump: '3f5ac74d531e3688ded740e87c18a94957cd1e5e497bff72f31c73b1564a3328',
  'cold-room': '995e07d067e666e7e40d758676ec0c4b9648a84038ca9342891ff1d9bfdfc09d',
  'power-feed': '8f7f784ad39d6a298b05b6a83ae1dbcf1e6f4654e5b5da11afb3decf3e4f5af4',
} as const;

function ioWith(stdout: Writable, stop = new AbortController().signal): CommandIo {
  return { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop, deadline: stop };
}

async function output(values: CommandValues): Promise<string> {
  const pieces: Buffer[] = [];
  const stdout = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      pieces.push(piece);
      done();
    },
  });
  assert.equal(await command.run(values, ioWith(stdout)), 0);
  return Buffer.concat(pieces).toString();
}

const goldenRun = { devices: '2', seed: '7', scenario: 'mixed', hours: '0.34', labels: true };

for (const [type, sha256] of Object.entries(golden))
  test(`the same seed gives the same bytes, here and on every machine: ${type}`, async () => {
    const text = await output({ ...goldenRun, type });
    assert.equal(createHash('sha256').update(text).digest('hex'), sha256);
  });

test('CSV has a header, one line a row, and the fault as last column if asked for', async () => {
  const values = {
    type: 'pump',
    scenario: 'leak',
    hours: '0.1',
    'step-ms': '2000',
    start: '2026-03-01T00:00:00+01:00',
  };
  const labelled = (await output({ ...values, labels: true })).trimEnd().split('\n');
  const plain = (await output(values)).trimEnd().split('\n');
  assert.equal(labelled.length, 181);
  assert.match(labelled[0]!, /^timestamp,device,motorCurrent,.*,tankLevel,fault$/);
  assert.match(labelled[1]!, /^2026-02-28T23:00:00\.000Z,pump-1,.*,$/);
  assert.ok(labelled.some(line => line.endsWith(',leak')));
  assert.deepEqual(
    plain,
    labelled.map(line => line.slice(0, line.lastIndexOf(','))),
  );
});

test('NDJSON holds the same as CSV', async () => {
  const values = { type: 'cold-room', devices: '2', scenario: 'door-open', hours: '0.1', labels: true };
  const csv = (await output(values)).trimEnd().split('\n');
  const lines = (await output({ ...values, format: 'ndjson' })).trimEnd().split('\n');
  const names = csv[0]!.split(',');
  assert.equal(lines.length, csv.length - 1);
  for (const [i, line] of lines.entries()) {
    const row = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(Object.keys(row), names);
    assert.equal(
      Object.values(row)
        .map(value => value ?? '')
        .join(','),
      csv[i + 1],
    );
  }
});

test('an offline gateway leaves a gap', async () => {
  const text = await output({ scenario: 'gateway-offline', hours: '0.2' });
  const times = text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => Date.parse(line.split(',')[0]!));
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  assert.equal(Math.max(...gaps), 121_000);
});

test('writes to a file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-simulate-'));
  try {
    const out = join(dir, 'pump.csv');
    assert.equal(await command.run({ hours: '0.01', out }, ioWith(new PassThrough())), 0);
    assert.equal(await readFile(out, 'utf8'), await output({ hours: '0.01' }));
    await assert.rejects(
      command.run({ out: join(dir, 'none', 'x.csv') }, ioWith(new PassThrough())),
      (error: unknown) => hasCode(error, 'EW_USAGE') && error.message.includes('cannot be written'),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a slow reader is waited for: little more is made than it has taken', async () => {
  const stop = new AbortController();
  let taken = 0;
  const stalled = new Writable({
    write: (piece: Buffer) => {
      taken += piece.length;
    },
  });
  const running = command.run({ hours: '10000' }, ioWith(stalled, stop.signal));
  await new Promise(resolve => setImmediate(resolve));
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 200; i++) await new Promise(resolve => setImmediate(resolve));
  assert.ok(taken < 300_000, `${taken} characters taken`);
  assert.ok(process.memoryUsage().heapUsed - before < 30e6);
  stop.abort();
  assert.equal(await running, 1);
});

test('a stop is heeded although every write is synchronous', async () => {
  const stop = new AbortController();
  const eager = new Writable({ write: (_piece, _encoding, done) => done() });
  setImmediate(() => stop.abort());
  // Without a pause between writes the abort would only come after all of this.
  assert.equal(await command.run({ hours: '1000' }, ioWith(eager, stop.signal)), 1);
});

test('a reader that has seen enough ends it quietly', async () => {
  const script = `
    import { command } from ${JSON.stringify(new URL('./command.js', import.meta.url).href)};
    const { signal } = new AbortController();
    const io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, stop: signal, deadline: signal };
    process.exitCode = await command.run({ hours: '10000' }, io);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors: Buffer[] = [];
  child.stderr.on('data', (piece: Buffer) => errors.push(piece));
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'close');
  assert.equal(Buffer.concat(errors).toString(), '');
  assert.equal(code, 0);
});

test('options that make no sense are refused by name, value and remedy', async () => {
  for (const [values, message] of [
    [{ type: 'toaster' }, /--type is "toaster": use one of pump/],
    [{ devices: '0' }, /--devices is "0": give a whole number from 1/],
    [{ devices: '1.5' }, /--devices is "1\.5"/],
    [{ seed: '-1' }, /--seed is "-1"/],
    [{ hours: 'NaN' }, /--hours is "NaN"/],
    [{ hours: '' }, /--hours is ""/],
    [{ 'step-ms': '0' }, /--step-ms is "0"/],
    [{ start: '2026-02-31' }, /--start is "2026-02-31"/],
    [{ start: '2026-01-05T00:00:00' }, /--start/],
    [{ scenario: 'meteor' }, /--scenario is "meteor": use one of normal/],
    [{ format: 'xml' }, /--format is "xml": use one of csv, ndjson/],
  ] as const)
    await assert.rejects(
      command.run(values, ioWith(new PassThrough())),
      (error: unknown) => hasCode(error, 'EW_USAGE') && message.test(error.message),
      JSON.stringify(values),
    );
});

test('the help names every scenario', () => {
  for (const name of scenarioNames) assert.ok(command.options.scenario?.description.includes(name));
});
