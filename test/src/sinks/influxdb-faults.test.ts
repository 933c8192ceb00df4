/** Overload, broken lines, proxies and kills between the sink and a real InfluxDB. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import { sinkConformance } from '@edgeward/collector/testing/sink-conformance';
import { isRetryable } from '@edgeward/shared/errors';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { countRows, type Influx, newBucket, points } from '../support/influx.js';
import { noService, startInflux } from '../support/services.js';
import { type Answer, type Fate, InfluxProxy } from './influx-proxy.js';
import { influxSink, type Options, open } from './influx-sink.js';
import { WrittenRows } from './written-rows.js';

let influx: Influx;
let proxy: InfluxProxy;

describe('InfluxDB behind trouble', { skip: noService('influxdb'), timeout: 240_000 }, () => {
  before(async () => {
    influx = await startInflux();
    proxy = await InfluxProxy.before(influx.url);
  });
  after(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await influx?.service[Symbol.asyncDispose]();
  });

  const through = (bucket: string, options: Options = {}) =>
    influxSink({ ...influx, url: proxy.url }, { bucket, ...options });

  const written = new WrittenRows(() => influx);
  const createBucket = { allowed: true };
  const fates: readonly Fate[] = ['cut', 'drop', { status: 500 }, { status: 503 }];
  const rng = seededRng(testSeed('influxdb faults'));
  sinkConformance('influxdb, its answers cut or lost,', {
    unordered: true,
    create: (folder, refuse) =>
      written.by(influxSink(influx, { bucket: path.basename(folder), createBucket }, refuse)),
    createFailing: (folder, failing) => {
      proxy.decide = () => (failing() ? fates[Math.floor(rng() * fates.length)]! : 'pass');
      // A block a request: some of a write are stored, and others are not.
      return written.by(through(path.basename(folder), { createBucket, batchBytes: 1024 }));
    },
    rowsOf: folder => written.rowsIn(path.basename(folder)),
    refusesLongTexts: true,
    noteIdsOf: async folder =>
      (await points(influx, path.basename(folder), 'r._measurement == "edgeward_incident"')).map(({ id }) =>
        String(id),
      ),
  });

  test('asked to wait, it says how long', async () => {
    const bucket = await newBucket(influx, 'busy');
    const delivery = new Tape({ seed: 1 }).next(1);
    await using sink = through(bucket);
    const wait = async (answer: Answer) => {
      proxy.decide = () => answer;
      const error = await sink.write([delivery], cursorAfter([]), open).then(
        () => assert.fail('it was not stored'),
        (thrown: Error & { code?: string; retryAfterMs?: number }) => thrown,
      );
      assert.equal(error.code, 'EW_SINK_BUSY');
      return error.retryAfterMs;
    };
    assert.equal(await wait({ status: 429, headers: { 'retry-after': '17' } }), 17_000);
    assert.equal(await wait({ status: 503 }), undefined);
    const date = new Date(Date.now() + 60_000).toUTCString();
    const ms = (await wait({ status: 503, headers: { 'retry-after': date } })) ?? 0;
    assert.ok(ms > 50_000 && ms <= 60_000, `${ms} ms`);
    proxy.decide = () => 'pass';
    await sink.write([delivery], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 2);
  });

  test('what a proxy says is no word about points: nothing goes to the dead letters', async () => {
    const bucket = await newBucket(influx, 'proxies');
    const delivery = new Tape({ seed: 2 }).next(1);
    await using sink = through(bucket);
    const answers: readonly (readonly [Answer, string])[] = [
      [{ status: 400, body: '<html>400 plain HTTP to HTTPS port</html>' }, 'EW_SINK_DENIED'],
      [{ status: 200, body: 'welcome' }, 'EW_SINK_DENIED'],
      [{ status: 301, headers: { location: 'https://elsewhere/' } }, 'EW_SINK_DENIED'],
      [{ status: 404, body: 'no such page' }, 'EW_SINK_DENIED'],
      [{ status: 502, body: 'bad gateway' }, 'EW_SINK_WRITE'],
    ];
    for (const [answer, code] of answers) {
      proxy.decide = () => answer;
      await assert.rejects(sink.write([delivery], cursorAfter([]), open), { code });
    }
    assert.deepEqual(sink.refusals, []);
  });

  for (const early of [false, true])
    test(`requests too large for a proxy are made smaller${early ? ', though it hangs up early' : ''}`, async () => {
      const bucket = await newBucket(influx, `large ${early}`);
      const tape = new Tape({ seed: 3, devices: ['pump-1'] });
      const delivery = tape.next(600);
      (delivery.batch.values[4] as string[])[7] = 'x'.repeat(40_000);
      proxy.decide = ({ bytes }) => (bytes > 20_000 ? { status: 413, early } : 'pass');
      await using sink = through(bucket, { gzip: false });
      await sink.write([delivery], cursorAfter([]), open);
      assert.equal(await countRows(influx, bucket), 599);
      const [refusal] = sink.refusals;
      assert.ok(refusal && 'rows' in refusal && sink.refusals.length === 1);
      assert.deepEqual(refusal.rows, [7]);
      assert.match(refusal.reason, /413/);
    });

  test('a server that does not answer is left after the time-out, and a deadline ends the wait', async () => {
    const bucket = await newBucket(influx, 'silent');
    const delivery = new Tape({ seed: 4 }).next(1);
    const never = new Promise<Fate>(() => undefined);
    proxy.decide = () => never;
    await using sink = through(bucket, { timeoutMs: 300 });
    await assert.rejects(sink.write([delivery], cursorAfter([]), open), {
      code: 'EW_SINK_WRITE',
      message: /no answer within 300 ms/,
    });
    await using patient = through(bucket);
    const deadline = new AbortController();
    const writing = patient.write([delivery], cursorAfter([]), deadline.signal);
    const asked = proxy.writes;
    const cut = setInterval(() => proxy.writes > asked && deadline.abort(), 10);
    const stopped = { code: 'EW_SINK_WRITE', message: /asked to stop/ };
    await assert.rejects(writing, stopped);
    clearInterval(cut);
    await assert.rejects(patient.write([delivery], cursorAfter([]), deadline.signal), stopped);
  });

  test('compressed or not, the same is stored', async () => {
    proxy.decide = () => 'pass';
    const stored = [];
    for (const gzip of [true, false]) {
      const bucket = await newBucket(influx, `gzip ${gzip}`);
      await using sink = through(bucket, { gzip, batchBytes: 4096 });
      await sink.write([new Tape({ seed: 5 }).next(200)], cursorAfter([]), open);
      stored.push(await points(influx, bucket));
    }
    assert.equal(stored[0]!.length, 400);
    assert.deepEqual(stored[0], stored[1]);
  });

  test('over TLS with an authority of its own, and not without it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-tls-'));
    const [key, ca] = ['key.pem', 'ca.pem'].map(name => path.join(folder, name)) as [string, string];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', [...made, ...subject, '-keyout', key, '-out', ca], { stdio: 'ignore' });
    // The real server behind it, byte by byte.
    const front = https.createServer({ key: readFileSync(key), cert: readFileSync(ca) });
    front.on('secureConnection', socket => {
      const { port, hostname } = new URL(influx.url);
      const back = connect(Number(port), hostname);
      back.on('error', () => socket.destroy());
      socket.on('error', () => back.destroy());
      socket.pipe(back).pipe(socket);
    });
    try {
      await new Promise<void>(resolve => front.listen(0, '127.0.0.1', resolve));
      const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
      const bucket = await newBucket(influx, 'tls');
      const delivery = new Tape({ seed: 6 }).next(1);
      await using stranger = influxSink({ ...influx, url }, { bucket });
      await assert.rejects(stranger.write([delivery], cursorAfter([]), open), { message: /certificate/ });
      await using sink = influxSink({ ...influx, url }, { bucket, tls: { ca } });
      await sink.write([delivery], cursorAfter([]), open);
      assert.equal(await countRows(influx, bucket), 2);
    } finally {
      front.closeAllConnections();
      front.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a write cut off for its length goes on where it was, and hands back once what was refused', async () => {
    const bucket = await newBucket(influx, 'long');
    const tape = new Tape({ seed: 8, devices: ['pump-1'] });
    const deliveries = Array.from({ length: 6 }, () => tape.next(25_000));
    deliveries[0]!.batch.time[3] = Number.NaN;
    await using sink = through(bucket);
    // Two of these make a part: the second part finds no end.
    const never = new Promise<Fate>(() => undefined);
    proxy.writes = 0;
    proxy.decide = ({ number }) => (number > 14 ? never : 'pass');
    const late = new AbortController();
    const cut = setInterval(() => proxy.writes > 14 && late.abort(), 10);
    await assert.rejects(sink.write(deliveries, cursorAfter([]), late.signal), { code: 'EW_SINK_WRITE' });
    clearInterval(cut);
    assert.equal(sink.refusals.length, 1);
    const before = proxy.writes;
    proxy.decide = () => 'pass';
    await sink.write(deliveries, cursorAfter([]), open);
    assert.ok(proxy.writes - before < 1.4 * before, `${before} requests, then ${proxy.writes - before}`);
    assert.equal(sink.refusals.length, 1);
    assert.equal(await countRows(influx, bucket), 6 * 25_000 - 1);
  });

  test('killed in the middle of writes and started again: nothing is lost or doubled', async t => {
    let failed = 0;
    for (let kill = 0; kill < 3; kill++) {
      // A bucket each: influxd 2.7 itself loses what it acknowledged between two crashes, see deploy/influxdb.md.
      const bucket = await newBucket(influx, `killed ${kill}`);
      const tape = new Tape({ seed: 7 + kill, devices: ['pump-1', 'pump-2', 'pump-3', 'pump-4'] });
      const deliveries = Array.from({ length: 40 }, () => tape.next(100));
      await using sink = influxSink(influx, { bucket, batchBytes: 32 * 1024, timeoutMs: 5000 });
      // Somewhere within what this write takes.
      const killing = new Promise(resolve => setTimeout(resolve, 20 + 100 * kill)).then(async () => {
        await influx.service.kill();
        await influx.service.start();
      });
      for (;;) {
        try {
          await sink.write(deliveries, cursorAfter([]), open);
          break;
        } catch (error) {
          assert.ok(isRetryable(error), `retryable: ${error}`);
          failed += 1;
          await new Promise(resolve => setTimeout(resolve, 50));
        }
      }
      await killing;
      assert.deepEqual(sink.refusals, []);
      assert.equal(await countRows(influx, bucket), 40 * 400);
    }
    t.diagnostic(`${failed} writes failed`);
    assert.ok(failed > 0, 'no kill hit a write: this test proves nothing');
  });
});
