/** What a real InfluxDB will not take is handed back, precisely, and all the rest is stored. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Consumer } from '@edgeward/collector/consumer';
import { folderFor, openJournal, TestGateway } from '@edgeward/collector/journal/testing/blocks';
import { cursorAfter, renumbered, Tape } from '@edgeward/collector/testing/deliveries';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery, Refusal } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { api, countRows, type Influx, newBucket, newToken, points } from '../support/influx.js';
import { until } from '../support/processes.js';
import { noService, startInflux } from '../support/services.js';
import { InfluxProxy } from './influx-proxy.js';
import { influxSink, type Options, open, type Refuse } from './influx-sink.js';

let influx: Influx;
let proxy: InfluxProxy;

describe('InfluxDB refuses', { skip: noService('influxdb'), timeout: 240_000 }, () => {
  before(async () => {
    influx = await startInflux();
    proxy = await InfluxProxy.before(influx.url);
  });
  after(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await influx?.service[Symbol.asyncDispose]();
  });

  /** Through the proxy, which counts requests. */
  const sinkOn = (bucket: string, options: Options = {}, refuse?: Refuse) =>
    influxSink({ ...influx, url: proxy.url }, { bucket, batchBytes: 16 * 1024 * 1024, ...options }, refuse);

  async function keepForEver(bucket: string): Promise<void> {
    const { buckets } = await api(influx, 'GET', `/api/v2/buckets?name=${bucket}`);
    await api(influx, 'PATCH', `/api/v2/buckets/${buckets[0].id}`, {
      retentionRules: [{ type: 'expire', everySeconds: 0 }],
    });
  }

  test('one row of another type among 5,000: 4,999 are stored', async () => {
    const bucket = await newBucket(influx, 'conflict');
    const tape = new Tape({ seed: 2, devices: ['pump-1'] });
    await using sink = sinkOn(bucket);
    await sink.write([tape.next(1)], cursorAfter([]), open);
    const odd = otherKind(tape.next(1));
    proxy.writes = 0;
    await sink.write([tape.next(2500), odd, tape.next(2499)], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 1 + 4999);
    assert.deepEqual(refusedRows(sink.refusals), [[odd, undefined]]);
    assert.match(sink.refusals[0]!.reason, /field type conflict.*discharge_pressure/);
    assert.equal(proxy.writes, 3);
  });

  test('as many rows of another type as good ones: each half as one', async () => {
    const bucket = await newBucket(influx, 'conflicts');
    const tape = new Tape({ seed: 3 });
    await using sink = sinkOn(bucket);
    await sink.write([tape.next(1)], cursorAfter([]), open);
    const odd = Array.from({ length: 200 }, () => otherKind(tape.next(2)));
    const good = Array.from({ length: 200 }, () => tape.next(2));
    proxy.writes = 0;
    await sink.write(
      odd.flatMap((delivery, i) => [delivery, good[i]!]),
      cursorAfter([]),
      open,
    );
    assert.equal(await countRows(influx, bucket), 2 + 800);
    assert.deepEqual(
      refusedRows(sink.refusals),
      odd.map(delivery => [delivery, undefined]),
    );
    assert.ok(proxy.writes <= 4, `${proxy.writes} requests`);
  });

  test('rows older than the bucket keeps any', async () => {
    const bucket = await newBucket(influx, 'retention', 3600);
    const tape = new Tape({ seed: 4, devices: ['pump-1'] });
    const nowMs = Date.now();
    // Shard groups of an hour: many of them are written at once.
    const ages = [0, 100, 5, 30, 300, 59, 2000, 7, 100_000, 50];
    const rows = ages.map(minutes => ({ device: 'pump-1', timeMs: nowMs - minutes * 60_000 }));
    const delivery = tape.block(rows);
    await using sink = sinkOn(bucket);
    await sink.write([delivery], cursorAfter([]), open);
    const [[refusedOf, refused = []] = []] = refusedRows(sink.refusals);
    assert.equal(refusedOf, delivery);
    // One that is not much too old it may take beside others of the same hour, and refuse by itself.
    const old = [1, 4, 6, 8];
    assert.deepEqual(
      refused.filter(i => i !== 1),
      old.slice(1),
    );
    const times = (await points(influx, bucket)).map(({ _time }) => Date.parse(String(_time)));
    const stored = rows.flatMap(({ timeMs }, i) => (times.includes(timeMs) ? [i] : []));
    assert.deepEqual(
      stored.filter(i => i !== 1),
      [0, 2, 3, 5, 7, 9],
    );
    assert.ok(stored.includes(1) || refused.includes(1));
    assert.match(sink.refusals[0]!.reason, /outside retention policy/);
  });

  test('what was refused is a dead letter of the sink, and is stored once the bucket keeps it', async t => {
    const bucket = await newBucket(influx, 'letters', 3600);
    await using journal = await openJournal(await folderFor(t));
    const name = 'influxdb';
    const refuse = (refusals: readonly Refusal[]) => journal.sinkLetters.keep(name, refusals);
    await using sink = sinkOn(bucket, {}, refuse);
    const gateway = new TestGateway();
    await journal.append(gateway.incoming(5));
    const common = { journal, clock: systemClock, log: silentLogger, lingerMs: 1 };
    const consumer = new Consumer({ ...common, name, sink });
    await consumer.open();
    const stop = new AbortController();
    const running = consumer.run(stop.signal, open);
    await until('all is passed', async () => consumer.lag === 0);
    const letters = journal.sinkLetters.list(99);
    assert.equal(await countRows(influx, bucket), 0);
    assert.equal(journal.sinkLetters.counts().get(name)?.rows, 20);
    assert.match(letters[0]!.reason, /InfluxDB: .*outside retention policy/);
    const again = await consumer.replay(letters.map(({ id }) => id));
    assert.ok(again.every(({ stored }) => !stored));
    await keepForEver(bucket);
    const results = await consumer.replay(letters.map(({ id }) => id));
    assert.deepEqual(new Set(results.map(({ reason }) => reason)), new Set([null]));
    assert.equal(await countRows(influx, bucket), 20);
    assert.deepEqual(journal.sinkLetters.list(9), []);
    stop.abort();
    await running;
  });

  test('times that it cannot hold, beside rows of another type', async () => {
    const bucket = await newBucket(influx, 'times');
    const tape = new Tape({ seed: 5, devices: ['pump-1'] });
    await using sink = sinkOn(bucket);
    await sink.write([tape.next(1)], cursorAfter([]), open);
    const delivery = tape.next(50);
    const { time } = delivery.batch;
    [time[3], time[7], time[49]] = [Number.NaN, 9.9e12, Number.NEGATIVE_INFINITY];
    const odd = otherKind(tape.next(1));
    await sink.write([odd, delivery, tape.next(10)], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 1 + 47 + 10);
    const rows = sink.refusals.flatMap(refusal => ('rows' in refusal && refusal.rows) || []);
    assert.deepEqual([...rows].sort(byNumber), [3, 7, 49]);
    assert.ok(sink.refusals.some(({ reason }) => /time outside range/.test(reason)));
    assert.ok(sink.refusals.some(refusal => 'delivery' in refusal && refusal.delivery === odd));
  });

  test('a text that is too long for it', async () => {
    const bucket = await newBucket(influx, 'texts');
    const tape = new Tape({ seed: 6, devices: ['pump-1'] });
    const delivery = tape.next(3);
    (delivery.batch.values[4] as string[])[1] = 'x'.repeat(1024 * 1024 + 1);
    await using sink = sinkOn(bucket);
    await sink.write([delivery], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 2);
    assert.deepEqual(refusedRows(sink.refusals), [[delivery, [1]]]);
    assert.ok(sink.refusals[0]!.reason.length < 600, 'the reason does not quote the text');
  });

  test('new series beyond the limits are kept out, known ones go on, also after a restart', async () => {
    const bucket = await newBucket(influx, 'series');
    const devices = ['d-1', 'd-2', 'd-3', 'd-4', 'd-5'];
    const tape = new Tape({ seed: 7, devices });
    const maxSeries = { perMeasurement: 3, total: 4 };
    for (let start = 1; start <= 2; start++) {
      await using sink = sinkOn(bucket, { maxSeries });
      const deliveries = [tape.next(2), tape.next(1)];
      await sink.write(deliveries, cursorAfter([]), open);
      assert.equal(await countRows(influx, bucket), start * 9);
      assert.deepEqual(refusedRows(sink.refusals), [
        [deliveries[0], [3, 4, 8, 9]],
        [deliveries[1], [3, 4]],
      ]);
      assert.match(sink.refusals[0]!.reason, /measurement pump has as many series.*perMeasurement.*3/);
      assert.equal(sink.warnings.length, 1);
    }
    await using sink = sinkOn(bucket, { maxSeries });
    const other = ofType(new Tape({ seed: 8, devices: ['d-1', 'd-2'], gateway: 'gw-2' }).next(1), 'fan');
    await sink.write([other], cursorAfter([]), open);
    assert.deepEqual(refusedRows(sink.refusals), [[other, [1]]]);
    assert.match(sink.refusals[0]!.reason, /maxSeries\.total/);
  });

  test('with a token that may only write, series are counted from the start on, and that is said', async () => {
    const bucket = await newBucket(influx, 'write-only');
    const token = await newToken(influx, bucket, ['write']);
    await using sink = influxSink({ ...influx, token }, { bucket, maxSeries: { perMeasurement: 1 } });
    const delivery = new Tape({ seed: 9 }).next(1);
    await sink.write([delivery], cursorAfter([]), open);
    assert.deepEqual(refusedRows(sink.refusals), [[delivery, [1]]]);
    assert.match(sink.warnings[0] ?? '', /series are counted from this start on/);
  });

  test('a device goes on as one series when its fields change', async () => {
    const bucket = await newBucket(influx, 'schemas');
    const tape = new Tape({ seed: 10, devices: ['pump-1'] });
    const [before, second] = [tape.next(3), tape.next(3)];
    const { batch } = second;
    const schema = {
      ...batch.schema,
      fields: [...batch.schema.fields, { name: 'new', kind: 'float' as const }],
    };
    const after = { ...second, batch: { ...batch, schema, values: [...batch.values, new Float64Array(3)] } };
    await using sink = sinkOn(bucket, { maxSeries: { perMeasurement: 1 } });
    await sink.write(renumbered([before, after]), cursorAfter([]), open);
    assert.deepEqual(sink.refusals, []);
    assert.equal(await countRows(influx, bucket), 6);
  });

  test('a bucket that is missing is created where that is allowed, with its retention', async () => {
    const delivery = new Tape({ seed: 11, startMs: Date.now() }).next(1);
    const bucket = 'made here';
    await using denied = sinkOn(bucket);
    await assert.rejects(denied.write([delivery], cursorAfter([]), open), {
      code: 'EW_SINK_DENIED',
      message: /404.*Remedy: .*create the bucket, or set createBucket\.allowed/,
    });
    await using sink = sinkOn(bucket, { createBucket: { allowed: true, retentionS: 7200 } });
    await sink.write([delivery], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 2);
    const { buckets } = await api(influx, 'GET', `/api/v2/buckets?name=${encodeURIComponent(bucket)}`);
    assert.equal(buckets[0].retentionRules[0].everySeconds, 7200);
    // Taken away under its hands, it comes again.
    await api(influx, 'DELETE', `/api/v2/buckets/${buckets[0].id}`);
    await sink.write([delivery], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 2);
  });

  test('a token without the right to create, to write, or at all: what is to be done', async () => {
    const delivery = new Tape({ seed: 12 }).next(1);
    const bucket = await newBucket(influx, 'rights');
    const wrong = async (token: string, options: Options, message: RegExp) => {
      await using sink = influxSink({ ...influx, token }, { bucket, ...options });
      await assert.rejects(
        sink.write([delivery], cursorAfter([]), open),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'EW_SINK_DENIED');
          assert.match(error.message, message);
          assert.ok(!error.message.includes(token), 'the token stands in the message');
          return true;
        },
      );
      assert.deepEqual(sink.refusals, []);
    };
    const create = { bucket: 'none', createBucket: { allowed: true } };
    await wrong(
      await newToken(influx, bucket, ['write']),
      create,
      /may not create it.*Remedy: create the bucket/,
    );
    await wrong(
      await newToken(influx, bucket, ['read']),
      {},
      /403.*Remedy: give the token the right to write/,
    );
    await wrong('no-such-token', {}, /401.*Remedy: give a token that the server knows/);
    await wrong(influx.token, { org: 'nobody' }, /organization name.*Remedy: check url, org nobody/);
  });

  test('a token that is replaced is read anew', async () => {
    const bucket = await newBucket(influx, 'rotation');
    await using sink = influxSink({ ...influx, token: 'old-token' }, { bucket });
    const delivery = new Tape({ seed: 13 }).next(1);
    const denied = { code: 'EW_SINK_DENIED', message: /Remedy: / };
    await assert.rejects(sink.write([delivery], cursorAfter([]), open), denied);
    delete process.env.EDGEWARD_TEST_old_token;
    await assert.rejects(sink.write([delivery], cursorAfter([]), open), denied);
    process.env.EDGEWARD_TEST_old_token = influx.token;
    await sink.write([delivery], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 2);
  });
});

function refusedRows(refusals: readonly Refusal[]) {
  return refusals.flatMap(refusal =>
    'delivery' in refusal ? [[refusal.delivery, refusal.rows] as const] : [],
  );
}

function byNumber(a: number, b: number): number {
  return a - b;
}

function ofType(delivery: Delivery, type: string): Delivery {
  const { batch } = delivery;
  return { ...delivery, batch: { ...batch, schema: { ...batch.schema, type } } };
}

/** `discharge_pressure` as a text. */
function otherKind(delivery: Delivery): Delivery {
  const { batch } = delivery;
  const [first, ...fields] = batch.schema.fields;
  const schema = { ...batch.schema, fields: [{ ...first!, kind: 'string' as const }, ...fields] };
  const values = [Array.from(batch.time, () => 'much'), ...batch.values.slice(1)];
  return { ...delivery, batch: { ...batch, schema, values } };
}
