import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { cellOf, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock, RecordBatch, Source, SourcePosition } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { type AnySource, sourceConformance } from '../testing/source-conformance.js';
import { HttpSource, http } from './http.js';

interface Rejected {
  readonly device: string;
  readonly count: number;
  readonly reason: string;
}

/** A source as the pump runs it; storing is up to the test. */
class Bench implements AsyncDisposable {
  readonly batches: RecordBatch[] = [];
  readonly positions: (SourcePosition | undefined)[] = [];
  readonly rejected: Rejected[] = [];
  readonly changed = new Gate();
  readonly rows: RowNumbers;
  readonly source: HttpSource;
  /** Resolves when the batch that is out may count as durable. */
  store: () => Promise<void> = async () => undefined;
  ended: Promise<void> = Promise.resolve();
  port = 0;
  readonly #stop = new AbortController();

  constructor(
    options: object,
    position?: SourcePosition,
    clock: Clock = systemClock,
    rows = new RowNumbers(),
  ) {
    this.rows = rows;
    const reject = (device: string, count: number, reason: string) =>
      void this.rejected.push({ device, count, reason });
    const config = http.config.parse({ port: 0, ...options });
    this.source = new HttpSource(config, { clock, rows, log: silentLogger, position, reject });
  }

  static async start(
    options: object = {},
    position?: SourcePosition,
    clock?: Clock,
    rows?: RowNumbers,
  ): Promise<Bench> {
    const bench = new Bench(options, position, clock, rows);
    await bench.run();
    return bench;
  }

  async run(): Promise<void> {
    const listening = new Promise<void>(resolve => {
      this.source.onListening = port => {
        this.port = port;
        resolve();
      };
    });
    this.ended = this.#read();
    await Promise.race([listening, this.ended]);
  }

  async #read(): Promise<void> {
    for await (const batch of this.source.read(this.#stop.signal)) {
      this.batches.push(batch);
      this.positions.push(this.source.position());
      this.changed.open();
      await this.store();
    }
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.changed.wait(undefined, 5);
  }

  post(target: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${target}`, { method: 'POST', body: body as string, headers });
  }

  /** One row of one device with a field `n`. */
  put(n: number, key?: string, device = 'a'): Promise<Response> {
    const body = JSON.stringify({ device, time: n, values: { n } });
    return this.post('/rows', body, key === undefined ? {} : { 'idempotency-key': key });
  }

  get stored(): string[] {
    return this.batches.flatMap(batch =>
      Array.from(
        batch.row,
        (row, i) => `${batch.schema.devices[batch.device[i]!]}#${row} n=${cellOf(batch, 0, i)}`,
      ),
    );
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store = async () => undefined;
    await this.stop();
  }
}

interface Told {
  readonly code: string;
  readonly message: string;
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: readonly Record<string, unknown>[];
}

const told = async (response: Response) => (await response.json()) as Told;

test('rows and lines become rows with their device, time, kinds and what is missing', async () => {
  await using bench = await Bench.start({}, undefined, new FakeClock({ nowMs: 5000 }));
  const rows = [
    { device: 'a', time: 1000, values: { t: 1.5, on: true } },
    { device: 'a', time: '1970-01-01T00:00:02.5Z', values: { t: null, on: false } },
    { device: 'b', values: { name: 'x' } },
  ];
  assert.equal((await bench.post('/rows', JSON.stringify(rows))).status, 204);
  const [first, second] = bench.batches;
  assert.deepEqual(first!.schema.fields, [
    { name: 't', kind: 'float' },
    { name: 'on', kind: 'bool' },
  ]);
  assert.deepEqual([...first!.time], [1000, 2500]);
  assert.deepEqual(
    [cellOf(first!, 0, 0), cellOf(first!, 0, 1), cellOf(first!, 1, 1)],
    [1.5, undefined, false],
  );
  assert.deepEqual([...first!.quality], [0, 1]);
  assert.deepEqual([second!.schema.type, second!.time[0], cellOf(second!, 0, 0)], ['device', 5000, 'x']);
});

test('204 comes after the batch is durable, and whatever arrives meanwhile is the next batch', async () => {
  await using bench = await Bench.start();
  const durable = new Gate();
  bench.store = () => durable.wait();
  let answers = 0;
  const put = (n: number) =>
    bench.put(n).then(({ status }) => {
      answers += 1;
      return status;
    });
  const first = put(0);
  await bench.until(() => bench.batches.length === 1);
  const others = [1, 2, 3, 4].map(put);
  // Each has arrived when one more, that is refused at once, has.
  for (let i = 0; i < 5; i++) await (await bench.post('/rows', '[')).text();
  assert.deepEqual([answers, bench.batches.length], [0, 1]);
  durable.open();
  assert.equal(await first, 204);
  await bench.until(() => bench.batches.length === 2);
  assert.equal(answers, 1);
  assert.equal(bench.batches[1]!.row.length, 4);
  durable.open();
  assert.deepEqual(await Promise.all(others), [204, 204, 204, 204]);
  assert.equal(bench.stored.length, 5);
});

test('bad points are told one by one; the good ones of the request are stored', async () => {
  await using bench = await Bench.start();
  await bench.put(0);
  const body = [
    { device: 'a', values: { n: 1 } },
    { device: 'a', values: { n: 'x' } },
    { device: 'a', timestamp: 1, values: { n: 2 } },
    { device: 'a', time: 'soon', values: { n: 3 } },
    { device: 'b c', values: { n: 4 } },
    { device: 'a', values: { n: [5] } },
    { device: 'a', values: {} },
    { device: 'a', type: 'pump', values: { n: 6 } },
    7,
  ];
  const response = await bench.post('/rows', JSON.stringify(body));
  assert.equal(response.status, 400);
  const { accepted, rejected, errors } = await told(response);
  assert.deepEqual([accepted, rejected], [1, 8]);
  assert.deepEqual(
    errors.map(({ index, field, value }) => [index, field, value]),
    [
      [1, 'n', 'x'],
      [2, undefined, '1'],
      [3, undefined, 'soon'],
      [4, undefined, 'b c'],
      [5, 'n', '[5]'],
      [6, undefined, undefined],
      [7, undefined, 'pump'],
      [8, undefined, '7'],
    ],
  );
  assert.deepEqual(bench.stored, ['a#1 n=0', 'a#2 n=1']);
  await bench.stop();
  // Those of a device that has rows are in its ledger; the others are nobody's.
  const sum = (reason: string) =>
    bench.rejected.filter(found => found.reason === reason).map(({ count }) => count);
  assert.deepEqual([sum('kind'), sum('time'), sum('noValue'), sum('deviceType')], [[2], [1], [1], [1]]);
  assert.ok(bench.rejected.every(({ device }) => device === 'a'));
});

test('what is not understood is refused with the way out', async () => {
  await using bench = await Bench.start({ maxBodyBytes: 2000 });
  const cases: readonly (readonly [Promise<Response>, number, RegExp])[] = [
    [bench.post('/rows', '{"device"'), 400, /cannot be read.*Remedy/],
    [bench.post('/rows', '3'), 400, /neither an object nor a list/],
    [bench.post('/rows', '[]'), 400, /no point/],
    [bench.post('/write', ''), 400, /no point/],
    [bench.post('/write', new Uint8Array([0xff, 0xfe])), 400, /UTF-8/],
    [bench.post('/write?precision=h', 'm v=1'), 400, /precision is "h"/],
    [bench.post('/nothing', ''), 404, /\/rows/],
    [fetch(`http://127.0.0.1:${bench.port}/rows`), 405, /takes POST/],
    [bench.post('/rows', 'x'.repeat(2001)), 413, /more than 2000 bytes/],
    [
      bench.post('/rows', gzipSync('x'.repeat(100_000)), { 'content-encoding': 'gzip' }),
      413,
      /more than 2000/,
    ],
    [bench.post('/rows', 'no gzip', { 'content-encoding': 'gzip' }), 400, /no gzip/],
    [bench.post('/rows', '{}', { 'content-encoding': 'br' }), 415, /gzip/],
    [bench.post('/rows', '{}', { 'idempotency-key': 'x'.repeat(256) }), 400, /1 to 255/],
    [bench.post('/rows', '{}', { origin: 'http://evil.example' }), 403, /token/],
  ];
  for (const [asked, status, message] of cases) {
    const response = await asked;
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match((JSON.parse(text) as Told).message, message);
  }
  assert.equal((await bench.put(1)).status, 204, 'and goes on');
  assert.equal(bench.stored.length, 1);
});

test('gzipped bodies and both addresses of line protocol are taken', async () => {
  await using bench = await Bench.start();
  const line = 'm,device=a n=1 1000';
  for (const target of ['/write?db=x&precision=ms', '/api/v2/write?org=o&bucket=b&precision=ms']) {
    assert.equal((await bench.post(target, gzipSync(line), { 'content-encoding': 'gzip' })).status, 204);
    assert.equal((await bench.post(target, line)).status, 204);
  }
  assert.deepEqual(bench.stored, ['a#1 n=1', 'a#2 n=1', 'a#3 n=1', 'a#4 n=1']);
});

test('with a token, only those who send it may write', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-http-'));
  const file = path.join(folder, 'token');
  await writeFile(file, 's3cret-s3cret\n');
  try {
    await using bench = await Bench.start({ host: '0.0.0.0', token: { file } });
    const status = async (authorization?: string) => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const response = await bench.post('/write', 'm n=1', headers);
      assert.doesNotMatch(await response.text(), /s3cret/);
      return response.status;
    };
    assert.equal(await status(), 401);
    assert.equal(await status('Bearer wrong'), 401);
    assert.equal(await status('Basic czNjcmV0LXMzY3JldA=='), 401);
    assert.equal(await status('Bearer s3cret-s3cret'), 204);
    assert.equal(await status('Token s3cret-s3cret'), 204);
    assert.equal((await fetch(`http://127.0.0.1:${bench.port}/ping`)).status, 204, 'a ping needs none');
    assert.equal(bench.stored.length, 2);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('others can only reach it where there is a token', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.5', 'pi.local'])
    assert.throws(
      () => new Bench({ host }),
      (error: unknown) => hasCode(error, 'EW_CONFIG_INVALID'),
      host,
    );
  for (const host of ['127.0.0.1', 'localhost', '::1', '[::1]', '127.1.2.3']) new Bench({ host });
});

test('a port that is taken is tried again later', async () => {
  await using first = await Bench.start();
  const second = new Bench({ port: first.port });
  await assert.rejects(second.run(), (error: unknown) => hasCode(error, 'EW_SOURCE_UNAVAILABLE'));
});

test('a key that was accepted is answered again without new rows, after a restart too', async () => {
  let position: SourcePosition | undefined;
  {
    await using bench = await Bench.start();
    assert.equal((await bench.put(1, 'k1')).status, 204);
    assert.equal((await bench.put(2, 'k2')).status, 204);
    assert.equal((await bench.put(1, 'k1')).status, 204);
    assert.equal((await bench.put(3)).status, 204);
    assert.deepEqual(bench.stored, ['a#1 n=1', 'a#2 n=2', 'a#3 n=3']);
    assert.equal(bench.positions[2], undefined, 'nothing new to keep');
    position = bench.positions[1];
  }
  await using bench = await Bench.start({}, JSON.parse(JSON.stringify(position)));
  assert.equal((await bench.put(1, 'k1')).status, 204);
  assert.equal((await bench.put(2, 'k2')).status, 204);
  assert.equal((await bench.put(3, 'k3')).status, 204);
  assert.deepEqual(bench.stored, ['a#1 n=3']);
});

test('a retry of a request with bad points hears the same, and no row comes twice', async () => {
  const body = '[{"device":"a","values":{"n":1}},{"device":"a","values":{"n":"x"}}]';
  const first = await Bench.start();
  const send = async (bench: Bench) => {
    const response = await bench.post('/rows', body, { 'idempotency-key': 'k' });
    assert.equal(response.status, 400);
    const { accepted, rejected, errors } = await told(response);
    return { accepted, rejected, index: errors[0]?.index };
  };
  const expected = { accepted: 1, rejected: 1, index: 1 };
  assert.deepEqual(await send(first), expected);
  assert.deepEqual(await send(first), expected);
  await first.stop();
  assert.equal(first.stored.length, 1);
  assert.deepEqual(first.rejected, [{ device: 'a', count: 1, reason: 'kind' }]);
  await using second = await Bench.start({}, first.positions[0]);
  const { accepted, rejected } = await send(second);
  assert.deepEqual([accepted, rejected], [1, 1]);
  assert.deepEqual(second.stored, []);
});

test('two clients with one key at a time: one set of rows, both are told when it is durable', async () => {
  await using bench = await Bench.start();
  const durable = new Gate();
  bench.store = () => durable.wait();
  const first = bench.put(1, 'k');
  await bench.until(() => bench.batches.length === 1);
  let told = false;
  const second = bench.put(1, 'k').then(response => {
    told = true;
    return response;
  });
  for (let i = 0; i < 5; i++) await (await bench.post('/rows', '[')).text();
  assert.equal(told, false);
  durable.open();
  assert.deepEqual([(await first).status, (await second).status], [204, 204]);
  assert.equal(bench.stored.length, 1);
});

test('a process that ends between two blocks of a request: the retry brings what is not stored yet, once', async () => {
  const body = JSON.stringify([
    { device: 'a', type: 'x', values: { n: 1 } },
    { device: 'b', type: 'y', values: { m: 2 } },
    { device: 'c', type: 'z', values: { o: 3 } },
  ]);
  const headers = { 'idempotency-key': 'k' };
  const whole = await Bench.start();
  assert.equal((await whole.post('/rows', body, headers)).status, 204);
  await whole.stop();
  assert.equal(whole.batches.length, 3);
  for (const [at, position] of whole.positions.entries()) {
    await using again = await Bench.start({}, JSON.parse(JSON.stringify(position)));
    assert.equal((await again.post('/rows', body, headers)).status, 204);
    const types = [...whole.batches.slice(0, at + 1), ...again.batches].map(({ schema }) => schema.type);
    assert.deepEqual(types.sort(), ['x', 'y', 'z'], `after block ${at + 1}`);
  }
});

test('only the newest keys are remembered', async () => {
  await using bench = await Bench.start({ idempotencyKeys: 2 });
  for (const n of [1, 2, 3, 2, 1]) await bench.put(n, `k${n}`);
  assert.deepEqual(bench.stored, ['a#1 n=1', 'a#2 n=2', 'a#3 n=3', 'a#4 n=1']);
});

test('429 with Retry-After when too much waits, and when storing takes too long; nothing told yes is missing', async () => {
  const clock = new FakeClock();
  await using bench = await Bench.start({ maxBodyBytes: 30_000, maxWaitingBytes: 65_536 }, undefined, clock);
  const durable = new Gate();
  bench.store = () => durable.wait();
  const big = JSON.stringify({ device: 'a', values: { n: 1, text: 'x'.repeat(20_000) } });
  const first = bench.post('/rows', big);
  await bench.until(() => bench.batches.length === 1);
  const more = [bench.post('/rows', big), bench.post('/rows', big), bench.post('/rows', big)];
  const refused = await Promise.race(more);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  await clock.advance(10_000);
  const late = await Promise.all(more);
  assert.deepEqual(
    late.map(({ status }) => status),
    [429, 429, 429],
  );
  assert.equal((await bench.put(2)).headers.get('retry-after'), '5', 'asked before a body is read');
  durable.open();
  assert.equal((await first).status, 204);
  bench.store = async () => undefined;
  assert.equal((await bench.put(3)).status, 204);
  assert.equal(bench.stored.length, 2);
});

test('stopping: what was taken is stored and answered, what comes after that is not', async () => {
  await using bench = await Bench.start();
  const durable = new Gate();
  bench.store = () => durable.wait();
  const first = bench.put(1);
  await bench.until(() => bench.batches.length === 1);
  const second = bench.put(2);
  for (let i = 0; i < 5; i++) await (await bench.post('/rows', '[')).text();
  const slow = connect(bench.port, '127.0.0.1');
  slow.write('POST /rows HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40\r\n\r\n');
  await once(slow, 'connect');
  const ended = bench.stop();
  await assert.rejects(bench.put(3));
  slow.end('{"device":"a","values":{"n":4}}         ');
  const [answer] = (await once(slow, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 503 /);
  durable.open();
  assert.equal((await first).status, 204);
  await bench.until(() => bench.batches.length === 2);
  durable.open();
  assert.equal((await second).status, 204);
  await ended;
  assert.deepEqual(bench.stored, ['a#1 n=1', 'a#2 n=2']);
});

test('a client that goes before its request began to be stored leaves no row; later it makes no difference', async () => {
  await using bench = await Bench.start();
  const durable = new Gate();
  bench.store = () => durable.wait();
  const [early, queued] = [new AbortController(), new AbortController()];
  const ask = (n: number, { signal }: AbortController) =>
    fetch(`http://127.0.0.1:${bench.port}/rows`, {
      method: 'POST',
      body: JSON.stringify({ device: 'a', values: { n } }),
      signal,
    }).catch(() => undefined);
  const first = ask(1, early);
  await bench.until(() => bench.batches.length === 1);
  const second = ask(2, queued);
  const third = bench.put(3);
  for (let i = 0; i < 5; i++) await (await bench.post('/rows', '[')).text();
  early.abort();
  queued.abort();
  await Promise.all([first, second]);
  for (let i = 0; i < 5; i++) await (await bench.post('/rows', '[')).text();
  durable.open();
  await bench.until(() => bench.batches.length === 2);
  durable.open();
  assert.equal((await third).status, 204);
  assert.deepEqual(bench.stored, ['a#1 n=1', 'a#2 n=3']);
});

test('a device of another source is refused point by point', async () => {
  const rows = new RowNumbers();
  rows.of('other').next('taken');
  await using bench = await Bench.start({}, undefined, systemClock, rows.of('http'));
  const response = await bench.put(1, undefined, 'taken');
  assert.match((await told(response)).errors[0]!.reason as string, /another source reads device taken/);
  assert.equal((await bench.put(1, undefined, 'free')).status, 204);
});

test('a request that never ends does not hold its connection for ever, and others go on', async () => {
  await using bench = await Bench.start({ requestTimeoutMs: 1000 });
  const slow = connect(bench.port, '127.0.0.1');
  slow.write('POST /rows HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40\r\n\r\n{');
  const closed = once(slow.resume(), 'close');
  assert.equal((await bench.put(1)).status, 204);
  await closed;
});

test('requests one behind the other on a connection are answered in their order', async () => {
  await using bench = await Bench.start();
  const socket = connect(bench.port, '127.0.0.1');
  const body = (n: number) => JSON.stringify({ device: 'a', values: { n } });
  const request = (text: string) =>
    `POST /rows HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
  socket.write(request(body(1)) + request('[') + request(body(2)));
  let text = '';
  socket.on('data', data => {
    text += data.toString();
  });
  while ((text.match(/HTTP\/1.1/g) ?? []).length < 3) await once(socket, 'data');
  assert.deepEqual(text.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 204', 'HTTP/1.1 400', 'HTTP/1.1 204']);
  socket.destroy();
});

/** A client that sends the same requests to every instance, with keys, and again until each is stored. */
const conforming: AnySource = {
  type: 'http',
  config: http.config,
  create(config: never, context) {
    const source: Source = http.create(config, context);
    assert.ok(source instanceof HttpSource);
    source.onListening = port => void push(port).catch(() => undefined);
    return source;
  },
};
/** Of the harness in use: clients of an earlier one may still hear an answer. */
let acknowledged = { rows: 0 };

async function push(port: number): Promise<void> {
  const counted = acknowledged;
  for (let n = 0; n < 20; n++) {
    const rows = ['a', 'b', 'c'].map(device => ({
      device,
      type: device === 'c' ? 'other' : 'same',
      time: 1000 * n,
      values: { n, half: n / 2 },
    }));
    for (let status = 0; status !== 204; ) {
      const headers = { 'idempotency-key': `key-${n}`, connection: 'close' };
      const body = JSON.stringify(rows);
      ({ status } = await fetch(`http://127.0.0.1:${port}/rows`, { method: 'POST', headers, body }));
    }
    counted.rows += rows.length;
  }
}

sourceConformance(conforming, () => {
  const counted = { rows: 0 };
  acknowledged = counted;
  return {
    options: { port: 0 },
    rows: 60,
    repeatsTimes: true,
    acknowledgedRows: () => counted.rows,
  };
});
