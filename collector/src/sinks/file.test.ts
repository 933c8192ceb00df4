import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { testSeed } from '@edgeward/shared/testing/seed';
import { cursorAfter, Tape } from '../testing/deliveries.js';
import { type StoredRow, sinkConformance } from '../testing/sink-conformance.js';
import { FileSink, file, fileConfig } from './file.js';
import { encodeRows } from './ndjson.js';

const never = new AbortController().signal;
const options = {
  maxBytes: 1500,
  maxAgeMs: 3_600_000,
  keepFiles: undefined,
  log: silentLogger,
  clock: systemClock,
};

async function dataFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter(name => name.endsWith('.ndjson')).sort(byNumber);
}

const byNumber = (a: string, b: string) => numberOf(a) - numberOf(b);
const numberOf = (name: string) => Number(name.split('-').at(-1)?.split('.')[0]);

/** What a reader finds who honours the checkpoint, or simply all lines. */
async function rowsOf(directory: string): Promise<StoredRow[]> {
  const files = await dataFiles(directory);
  const texts = await Promise.all(files.map(name => readFile(path.join(directory, name), 'utf8')));
  return texts
    .join('')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as StoredRow);
}

/** `open` of a disk that takes only a part of some writes, then says it is full. */
function failingOpen(failing: () => boolean): typeof open {
  return async (...args) => {
    const handle = await open(...args);
    const write = handle.write.bind(handle) as (...rest: unknown[]) => Promise<unknown>;
    const half = async (data: Uint8Array, offset: number, length: number, position: number) => {
      if (!failing()) return write(data, offset, length, position);
      await write(data, offset, Math.ceil(length / 2), position);
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    };
    return Object.assign(handle, { write: half });
  };
}

sinkConformance('file', {
  create: directory => new FileSink({ ...options, directory }),
  createFailing: (directory, failing) =>
    new FileSink({ ...options, directory, openFile: failingOpen(failing) }),
  rowsOf,
});

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgeward-file-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('a line has everything, and lossless', () => {
  const tape = new Tape({ seed: 11, devices: ['pump-1'] });
  const delivery = tape.block(
    [
      { device: 'pump-1', pressure: 0.1 + 0.2, timeMs: 1767225600000.001 },
      { device: 'pump-1', pressure: Number.NaN, missing: ['flow'], quality: Quality.missing },
      { device: 'pump-1', pressure: -0 },
    ],
    { late: true },
  );
  const starts = delivery.batch.values[2] as BigInt64Array;
  starts[0] = 2n ** 60n;
  starts[1] = -7n;
  const lines = encodeRows(delivery).toString().trimEnd().split('\n');
  const [first, second] = lines.map(line => JSON.parse(line));
  assert.deepEqual(
    Object.keys(first).join(),
    'gateway,device,type,time,epoch,seq,row,values,quality,score,anomaly,late,model',
  );
  assert.equal(first.time, 1767225600000.001);
  assert.equal(first.values.discharge_pressure, 0.30000000000000004);
  assert.equal(first.values.starts, '1152921504606846976');
  assert.equal(first.values.running, false);
  assert.equal(first.late, true);
  assert.deepEqual(first.quality, []);
  assert.equal(second.values.starts, -7);
  assert.equal(second.values.discharge_pressure, null);
  assert.deepEqual(second.missing, ['flow']);
  assert.ok(!('flow' in second.values));
  assert.deepEqual(second.quality, ['missing', 'invalid']);
  assert.match(lines[2] ?? '', /"discharge_pressure":-0,/);
});

test('names with quotes and newlines stay inside their line', () => {
  const tape = new Tape({ seed: 12, devices: ['a"\n\\b'] });
  const lines = encodeRows(tape.next(1)).toString().trimEnd().split('\n');
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0] ?? '').device, 'a"\n\\b');
});

test('begins a new file by size and by age, and keeps the newest', async t => {
  const directory = await folder(t);
  const clock = new FakeClock({ nowMs: Date.UTC(2026, 0, 2, 3, 4, 5) });
  await using sink = new FileSink({ ...options, directory, maxAgeMs: 60_000, keepFiles: 3, clock });
  const tape = new Tape({ seed: 13 });
  const all: Delivery[] = [];
  const write = async () => {
    all.push(tape.next(2));
    await sink.write(all.slice(-1), cursorAfter(all), never);
  };
  await write();
  assert.deepEqual(await dataFiles(directory), ['readings-20260102T030405Z-000001.ndjson']);
  await write();
  assert.equal((await dataFiles(directory)).length, 2, 'by size');
  await clock.advance(60_000);
  await write();
  assert.equal((await dataFiles(directory))[2], 'readings-20260102T030505Z-000003.ndjson');
  // A clock that was set back must not make new files look old.
  clock.stepWall(-86_400_000);
  await write();
  const kept = await dataFiles(directory);
  assert.deepEqual(kept.map(numberOf), [2, 3, 4]);
  assert.equal((await rowsOf(directory)).at(-1)?.seq, 4);
});

test('cuts off what was never committed, and later files', async t => {
  const directory = await folder(t);
  const tape = new Tape({ seed: 14 });
  const all = [tape.next(1), tape.next(1)];
  {
    await using sink = new FileSink({ ...options, directory });
    await sink.write(all, cursorAfter(all), never);
  }
  const [name = ''] = await dataFiles(directory);
  await appendFile(path.join(directory, name), '{"gateway":"gw-1","dev');
  await writeFile(path.join(directory, 'readings-20260101T000000Z-000002.ndjson'), '{"torn":');
  await using sink = new FileSink({ ...options, directory });
  assert.equal((await sink.cursor())?.position, 2);
  assert.equal((await dataFiles(directory)).length, 1);
  assert.equal((await rowsOf(directory)).length, 4);
});

test('does not delete rows that no checkpoint explains', async t => {
  const directory = await folder(t);
  const foreign = path.join(directory, 'readings-20260101T000000Z-000001.ndjson');
  await writeFile(foreign, '{}\n');
  await using sink = new FileSink({ ...options, directory });
  await assert.rejects(sink.cursor(), error => hasCode(error, 'EW_SINK_STATE'));
  assert.equal(await readFile(foreign, 'utf8'), '{}\n');
  await rm(foreign);
  await writeFile(path.join(directory, 'checkpoint.json'), '{"version":1,"curs');
  await assert.rejects(sink.cursor(), error => hasCode(error, 'EW_SINK_STATE'));
});

test('goes on in another file when the current one was taken away', async t => {
  const directory = await folder(t);
  const tape = new Tape({ seed: 15 });
  const all = [tape.next(1), tape.next(1)];
  {
    await using sink = new FileSink({ ...options, directory });
    await sink.write(all.slice(0, 1), cursorAfter(all.slice(0, 1)), never);
  }
  await rm(path.join(directory, (await dataFiles(directory))[0] ?? ''));
  await using sink = new FileSink({ ...options, directory });
  assert.equal((await sink.cursor())?.position, 1);
  await sink.write(all, cursorAfter(all), never);
  assert.deepEqual(
    (await rowsOf(directory)).map(row => row.seq),
    [2, 2],
  );
});

test('a full disk is a retryable error and commits nothing', async t => {
  const directory = await folder(t);
  let full = true;
  await using sink = new FileSink({ ...options, directory, openFile: failingOpen(() => full) });
  const all = [new Tape({ seed: 16 }).next()];
  await assert.rejects(sink.write(all, cursorAfter(all), never), error => hasCode(error, 'EW_SINK_WRITE'));
  assert.equal(await sink.cursor(), undefined);
  assert.deepEqual(await rowsOf(directory), []);
  full = false;
  await sink.write(all, cursorAfter(all), never);
  assert.equal((await rowsOf(directory)).length, 6);
});

test('is registered under its type, with defaults', () => {
  assert.equal(file.type, 'file');
  assert.equal(fileConfig.parse({ directory: 'x' }).maxBytes, 67_108_864);
  assert.throws(() => fileConfig.parse({ directory: 'x', maxByte: 1 }));
});

test('killed at any moment: each committed row is there once, in order', { timeout: 60_000 }, async t => {
  const directory = await folder(t);
  const seed = testSeed('file sink killed');
  const rng = seededRng(seed);
  let position = 0;
  for (let kill = 0; kill < 12; kill++) {
    await runUntilKilled(directory, seed, 20 + 180 * rng());
    await using sink = new FileSink({ ...options, directory });
    const cursor = await sink.cursor();
    const rows = await rowsOf(directory);
    const expected = deliveriesThrough(seed, cursor?.position ?? 0);
    assert.deepEqual(rows.map(label), expected, `seed ${seed}, kill ${kill}`);
    assert.ok((cursor?.position ?? 0) >= position);
    position = cursor?.position ?? 0;
  }
  assert.ok(position > 30, `only ${position} deliveries were ever committed: this test proves nothing`);
});

const label = (row: StoredRow) => `${row.seq} ${row.device} ${row.row}`;

function deliveriesThrough(seed: number, position: number): string[] {
  const tape = new Tape({ seed });
  const labels: string[] = [];
  for (let i = 0; i < position; i++)
    for (const line of encodeRows(tape.next()).toString().trimEnd().split('\n'))
      labels.push(label(JSON.parse(line)));
  return labels;
}

async function runUntilKilled(directory: string, seed: number, afterMs: number): Promise<void> {
  const script = fileURLToPath(new URL('../testing/file-sink-child.js', import.meta.url));
  const child = spawn(process.execPath, [script, directory, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  // When it dies is chance on purpose: nothing is awaited here, the kill falls into whatever it does.
  setTimeout(() => child.kill('SIGKILL'), afterMs);
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL', 'the child ended by itself');
}
