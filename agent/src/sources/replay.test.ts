import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { cellOf, RowNumbers } from '@edgeward/shared/batch';
import type { Clock, RecordBatch, SourcePosition } from '@edgeward/shared/contracts';
import { type ErrorCode, hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { qualityReasons } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { sourceConformance } from '../testing/source-conformance.js';
import { replay } from './replay.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'edgeward-replay-'));
});
after(() => rm(folder, { recursive: true }));

let files = 0;
async function fileWith(content: string | Uint8Array): Promise<string> {
  files += 1;
  const file = path.join(folder, `recording-${files}.csv`);
  await writeFile(file, content);
  return file;
}

/** Recordings with everything that goes wrong in them, the same for a seed. */
function messyCsv(seed: number, rows: number): string {
  const rng = seededRng(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(rng() * items.length)]!;
  const lines = ['timestamp,device,temperature,"pressure"'];
  for (let i = 0; i < rows; i++) {
    const time = new Date(Date.UTC(2026, 0, 1) + i * 250).toISOString();
    const device = pick(['pump-1', 'pump-2', '"pump-3"']);
    const good = `${time},${device},${(rng() * 100).toFixed(2)},${(rng() * 10).toFixed(3)}`;
    const kind = rng();
    if (kind < 0.8) lines.push(good);
    else {
      lines.push(
        pick([
          `${time},${device},,`,
          `${time},${device},abc,1e3`,
          `${time},${device},"5",-7`,
          `${time},${device}`,
          `${time},${device},1,2,3`,
          `yesterday,${device},1,2`,
          `${time},bad name,1,2`,
          `${time},"pump-1,3,4`,
          '',
        ]),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

const recording = 'ambient_temperature_system_failure.csv';
const messyOptions = { device: 'pump-0', deviceType: 'pump', deviceColumn: 'device', batchRows: 7 };
const columns = { temperature: 'temperature', pressure: 'pressure' };

describe('as fast as rows are stored', () => {
  sourceConformance(replay, async () => ({
    options: { ...messyOptions, columns, path: await fileWith(messyCsv(1, 300)), speed: 'max' },
    repeatsTimes: true,
  }));
});

describe('at ten times the speed', () => {
  sourceConformance(replay, async () => ({
    options: { ...messyOptions, columns, path: await fileWith(messyCsv(2, 300)), speed: 10, lingerMs: 120 },
    repeatsTimes: true,
  }));
});

describe('compressed, again and again, as if live', () => {
  sourceConformance(replay, async () => ({
    options: {
      ...messyOptions,
      path: await fileWith(gzipSync(messyCsv(3, 60))),
      columns,
      loop: true,
      time: 'now',
    },
    rows: 200,
  }));
});

interface Reading {
  readonly batches: RecordBatch[];
  readonly rejects: Record<string, number>;
  /** The position stored with the last batch. */
  readonly position: SourcePosition | undefined;
}

interface ReadOptions {
  readonly position?: SourcePosition | undefined;
  readonly clock?: Clock;
  /** Stop after so many rows. */
  readonly rows?: number;
}

async function read(options: Record<string, unknown>, more: ReadOptions = {}): Promise<Reading> {
  const rejects: Record<string, number> = {};
  const config = replay.config.parse({
    device: 'machine-1',
    deviceType: 'machine',
    speed: 'max',
    ...options,
  });
  const source = replay.create(config, {
    clock: more.clock ?? new FakeClock({ autoAdvance: true }),
    rows: new RowNumbers(),
    log: silentLogger,
    position: more.position,
    reject: (device, count, reason) => {
      const key = `${device} ${reason}`;
      rejects[key] = (rejects[key] ?? 0) + count;
    },
  });
  const batches: RecordBatch[] = [];
  let position: SourcePosition | undefined;
  let rows = 0;
  for await (const batch of source.read(new AbortController().signal)) {
    batches.push(batch);
    position = source.position?.();
    rows += batch.row.length;
    if (rows >= (more.rows ?? Number.POSITIVE_INFINITY)) break;
  }
  return { batches, rejects, position };
}

/** `seconds: value, value [reasons]` a row; seconds since 2026. */
function show({ batches }: Reading): string[] {
  return batches.flatMap(batch =>
    Array.from(batch.time, (time, i) => {
      const values = batch.schema.fields.map((_, f) => String(cellOf(batch, f, i)));
      const reasons = qualityReasons(batch.quality[i]!);
      const seconds = (time - Date.UTC(2026, 0, 1)) / 1000;
      return `${seconds}: ${[...values, ...reasons].join(' ')}`;
    }),
  );
}

const refuses = (work: Promise<unknown>, code: ErrorCode, text: RegExp) =>
  assert.rejects(work, (error: unknown) => hasCode(error, code) && text.test(error.message));

const day = '2026-01-01 00:00';
const three = `timestamp,value\n${day}:00,1\n${day}:01,2\n${day}:02,3\n`;

describe('what a file holds', () => {
  test('every numeric column by default, under names that are safe', async () => {
    const csv = `Temp (°C),timestamp,note,1st,Temp (°C)\n1,${day}:00,x,2,3\n4,${day}:01,,,6\n`;
    const { batches } = await read({ path: await fileWith(`\ufeff${csv}`) });
    assert.deepEqual(
      batches[0]?.schema.fields.map(field => field.name),
      ['Temp_C', '1st', 'Temp_C_2'],
    );
    assert.deepEqual(batches[0]?.schema.devices, ['machine-1']);
  });

  test('columns as the configuration maps them', async () => {
    const csv = `t;p;n;on;mode\n1767225600;2,5;1;TRUE;"a;b"\n1767225601;100;x;maybe;\n1767225602;1e2;-7;0;c\n`;
    const reading = await read({
      path: await fileWith(csv.replace('2,5', '2.5')),
      timeColumn: 't',
      delimiter: ';',
      columns: {
        p: {
          field: 'pressure',
          unit: 'bar',
          min: 0,
          max: 20,
          scale: 0.1,
          offset: 1,
          maxRate: 2,
          stuckAfter: 9,
        },
        n: { field: 'count', kind: 'int' },
        on: { field: 'running', kind: 'bool' },
        mode: { field: 'mode', kind: 'string' },
      },
    });
    assert.deepEqual(reading.batches[0]?.schema.fields[0], {
      name: 'pressure',
      kind: 'float',
      unit: 'bar',
      min: 0,
      max: 20,
      maxRate: 2,
      stuckAfter: 9,
    });
    assert.deepEqual(show(reading), [
      '0: 1.25 1 true a;b',
      '1: 11 undefined undefined undefined missing invalid',
      '2: 11 -7 false c',
    ]);
  });

  test('cells that cannot be read are marked, rows stay', async () => {
    const csv = [
      'timestamp,a,b',
      `${day}:00,1,2`,
      `${day}:01,,2`,
      `${day}:02,x,2`,
      `${day}:03,1`,
      `${day}:04,1,2,`,
      `${day}:05,1,2,3`,
      `${day}:06, 1 ,"2"`,
      `${day}:07,1e999,0x2`,
    ];
    const reading = await read({ path: await fileWith(csv.join('\r\n')), columns: { a: 'a', b: 'b' } });
    assert.deepEqual(show(reading), [
      '0: 1 2',
      '1: undefined 2 missing',
      '2: undefined 2 missing invalid',
      '3: 1 undefined missing invalid',
      '4: 1 2',
      '5: undefined undefined missing invalid',
      '6: 1 2',
      '7: undefined undefined missing invalid',
    ]);
    assert.deepEqual(reading.rejects, {});
  });

  test('what cannot become a row is counted with its reason', async () => {
    const csv = [
      'timestamp,device,a',
      `${day}:00,pump-1,1`,
      'never,pump-1,1',
      ',pump-1,1',
      `${day}:01,no name,1`,
      `${day}:02,"pump-1,1`,
      `${day}:03,pump-1,${'9'.repeat(70_000)}`,
      `${day}:04,pump-2,5`,
    ];
    const reading = await read({ path: await fileWith(csv.join('\n')), deviceColumn: 'device' });
    assert.deepEqual(show(reading), ['0: 1', '4: 5']);
    assert.deepEqual(reading.rejects, {
      'pump-1 time': 2,
      'machine-1 deviceName': 1,
      'machine-1 quotes': 1,
      'machine-1 tooLong': 1,
    });
  });

  test('a file of a few megabytes comes whole through its pieces', async () => {
    const rows = 60_000;
    const lines = Array.from({ length: rows }, (_, i) => `${Date.UTC(2026, 0, 1) + i},${i / 4}`);
    const { batches } = await read({
      path: await fileWith(`timestamp,a\n${lines.join('\n')}`),
      batchRows: 5000,
    });
    const values = batches.flatMap(batch => Array.from(batch.values[0] as Float64Array));
    assert.equal(values.length, rows);
    assert.ok(values.every((value, i) => value === i / 4));
  });
});

test('the real recording that ships with the simulators comes whole', async () => {
  const file = fileURLToPath(
    import.meta
      .resolve('@edgeward/simulators/package.json')
      .replace('package.json', `recordings/${recording}`),
  );
  const lines = (await readFile(file, 'utf8')).trim().split('\n').slice(1);
  const { batches, rejects } = await read({
    path: file,
    columns: { value: { field: 'temperature', unit: '[degF]' } },
  });
  const rows = batches.flatMap(batch =>
    Array.from(batch.time, (time, i) => [time, cellOf(batch, 0, i), batch.quality[i]]),
  );
  const expected = lines.map(line => {
    const [time, value] = line.split(',');
    return [Date.parse(`${time?.replace(' ', 'T')}Z`), Number(value), 0];
  });
  assert.equal(rows.length, 7267);
  assert.deepEqual(rows, expected);
  assert.deepEqual(rejects, {});
});

describe('reading on', () => {
  const head = ['timestamp,value', `${day}:00,1`, `${day}:01,2`].join('\n');

  test('a file that grew is read on, also where its last line had no end', async () => {
    const file = await fileWith(head);
    const first = await read({ path: file });
    await appendFile(file, `\n${day}:02,3\n`);
    const second = await read({ path: file }, { position: first.position });
    assert.deepEqual([...show(first), ...show(second)], ['0: 1', '1: 2', '2: 3']);
    assert.deepEqual(second.rejects, {});
    assert.equal(second.batches[0]?.row[0], 1);
  });

  test('the rest of a line that was read while it was being written is rejected, not taken for a row', async () => {
    const file = await fileWith(head);
    const first = await read({ path: file });
    await appendFile(file, `5\n${day}:02,3\n`);
    const second = await read({ path: file }, { position: first.position });
    assert.deepEqual(show(second), ['2: 3']);
    assert.deepEqual(second.rejects, { 'machine-1 cutRow': 1 });
  });

  test('a file at its end gives nothing more', async () => {
    const file = await fileWith(three);
    const first = await read({ path: file });
    assert.deepEqual((await read({ path: file }, { position: first.position })).batches, []);
  });

  test('a file that shrank is refused', async () => {
    const file = await fileWith(three);
    const { position } = await read({ path: file });
    await truncate(file, 40);
    await refuses(read({ path: file }, { position }), 'EW_SOURCE_INPUT', /is shorter than the 82 bytes/);
  });

  test('another header or another content under the same name is refused', async () => {
    const file = await fileWith(three);
    const { position } = await read({ path: file });
    await writeFile(file, three.replace('value', 'other'));
    await refuses(read({ path: file }, { position }), 'EW_SOURCE_INPUT', /another header/);
    await writeFile(file, `${three.replaceAll('2026', '2025')}${day}:03,4\n`);
    await refuses(read({ path: file }, { position }), 'EW_SOURCE_INPUT', /changed before byte 82/);
  });

  test('a position of another file is not used', async () => {
    const { position } = await read({ path: await fileWith(three) });
    assert.equal(show(await read({ path: await fileWith(three) }, { position })).length, 3);
  });
});

describe('time', () => {
  test('rows come at the pace of the recording, within the linger', async () => {
    const csv = `timestamp,a\n${[0, 1, 2, 10, 11].map(s => `${1767225600 + s},${s}`).join('\n')}`;
    const clock = new FakeClock();
    const arrivals: string[] = [];
    const config = replay.config.parse({
      path: await fileWith(csv),
      device: 'm',
      deviceType: 'm',
      speed: 2,
      lingerMs: 600,
    });
    const source = replay.create(config, {
      clock,
      rows: new RowNumbers(),
      log: silentLogger,
      position: undefined,
      reject: () => {},
    });
    const reading = (async () => {
      for await (const batch of source.read(new AbortController().signal)) {
        arrivals.push(`${clock.monotonic()}: ${batch.values[0]?.join(' ')}`);
      }
    })();
    const done = new AbortController();
    const ended = reading.finally(() => done.abort());
    while (!done.signal.aborted) {
      await clock.someoneSleeps(done.signal);
      await clock.advance(100);
    }
    await ended;
    assert.deepEqual(arrivals, ['600: 0 1', '1600: 2', '5500: 10 11']);
  });

  test('stamped as if live, rows keep their distances', async () => {
    const csv = `timestamp,a\n${[0, 1, 2, 10].map(s => `${1500000000 + s},${s}`).join('\n')}`;
    const clock = new FakeClock({ autoAdvance: true, nowMs: Date.UTC(2026, 0, 1) });
    const reading = await read({ path: await fileWith(csv), speed: 10, time: 'now' }, { clock });
    assert.deepEqual(show(reading), ['0: 0', '0.1: 1', '0.2: 2', '1: 10']);
  });

  test('stamped as if live and as fast as possible, no two rows have the same time', async () => {
    const { batches } = await read({ path: await fileWith(three), time: 'now', batchRows: 2 });
    const times = batches.flatMap(batch => Array.from(batch.time, time => Math.round(time * 1000)));
    assert.equal(new Set(times).size, 3);
  });

  test('repeated, recorded times go on where they ended', async () => {
    const reading = await read({ path: await fileWith(three), loop: true }, { rows: 7 });
    assert.deepEqual(show(reading).slice(0, 7), ['0: 1', '1: 2', '2: 3', '3: 1', '4: 2', '5: 3', '6: 1']);
  });

  test('a file without rows is not repeated for ever', async () => {
    const file = await fileWith('timestamp,a\nnever,1\n');
    await refuses(read({ path: file, loop: true }), 'EW_SOURCE_INPUT', /no row to repeat/);
  });
});

describe('refused', () => {
  const cases: [string, string | Uint8Array, Record<string, unknown>, ErrorCode, RegExp][] = [
    ['an empty file', '', {}, 'EW_SOURCE_INPUT', /has no header line/],
    ['UTF-16', Buffer.from('\ufefftimestamp,a\n', 'utf16le'), {}, 'EW_SOURCE_INPUT', /UTF-16/],
    ['a header without the time column', 'time,a\n1,2\n', {}, 'EW_SOURCE_INPUT', /no column "timestamp"/],
    [
      'a mapped column that is not there',
      three,
      { columns: { valu: 'v' } },
      'EW_SOURCE_INPUT',
      /Did you mean "value"\?/,
    ],
    ['no column of numbers', `timestamp,a\n${day}:00,x\n`, {}, 'EW_SOURCE_INPUT', /no column of numbers/],
    [
      'damaged gzip',
      Buffer.concat([gzipSync(three).subarray(0, 30), Buffer.alloc(9)]),
      {},
      'EW_SOURCE_INPUT',
      /./,
    ],
  ];
  for (const [name, content, options, code, text] of cases) {
    test(name, async () => {
      await refuses(read({ path: await fileWith(content), ...options }), code, text);
    });
  }

  test('a compressed file that breaks off gives its rows before the error', async () => {
    const rng = seededRng(4);
    const lines = Array.from({ length: 20_000 }, (_, i) => `${1767225600 + i},${rng()}`);
    const packed = gzipSync(`timestamp,a\n${lines.join('\n')}`);
    const file = await fileWith(packed.subarray(0, packed.length - 1000));
    const config = replay.config.parse({ path: file, device: 'm', deviceType: 'm', speed: 'max' });
    const source = replay.create(config, {
      clock: new FakeClock(),
      rows: new RowNumbers(),
      log: silentLogger,
      position: undefined,
      reject: () => {},
    });
    let rows = 0;
    const reading = (async () => {
      for await (const batch of source.read(new AbortController().signal)) rows += batch.row.length;
    })();
    await refuses(reading, 'EW_SOURCE_INPUT', /unexpected end of file/);
    assert.ok(rows > 18_000 && rows < 20_000, `${rows} rows`);
  });

  test('a folder; a file that is not there may still come', async () => {
    await refuses(read({ path: folder }), 'EW_SOURCE_INPUT', /cannot be read/);
    await refuses(read({ path: path.join(folder, 'none.csv') }), 'EW_SOURCE_UNAVAILABLE', /There is no file/);
  });

  test('options that cannot be', () => {
    const base = { path: 'x.csv', device: 'm', deviceType: 'm' };
    const wrong = [
      { delimiter: ';;' },
      { speed: 0 },
      { columns: { a: 'same', b: { field: 'same' } } },
      { columns: { a: { field: 'a', min: 2, max: 1 } } },
      { columns: { a: { field: 'a', kind: 'int', scale: 2 } } },
      { device: 'no name' },
      { unknown: 1 },
    ];
    assert.ok(replay.config.safeParse(base).success);
    for (const options of wrong) {
      assert.ok(!replay.config.safeParse({ ...base, ...options }).success, JSON.stringify(options));
    }
  });
});
