/** What stands in Kafka, and what an audit reads back. One broker for all. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Consumer } from '@edgeward/collector/consumer';
import { epochOf, folderFor, openJournal } from '@edgeward/collector/journal/testing/blocks';
import { kafka } from '@edgeward/collector/sinks/kafka';
import type { Node, Wire } from '@edgeward/collector/sinks/kafka/wire';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import { readTopic } from '@edgeward/collector/testing/kafka-reader';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery, Evidence, Note, Refusal } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { decodeBlock, describe as describeSchema, encodeBlock } from '@edgeward/shared/wire';
import { z } from 'zod';
import {
  createTopic,
  kafkaConfigOf,
  kafkaSink,
  readingsOf,
  type SinkOptions,
  startBroker,
  type TestBroker,
} from '../support/kafka.js';
import { until } from '../support/processes.js';
import { root } from '../support/root.js';
import { noService } from '../support/services.js';

const never = new AbortController().signal;
const schemaFolder = path.join(root, 'deploy', 'schemas');

/** The published schemas, by the header that names them. */
const schemas = new Map(
  readdirSync(schemaFolder).map(name => {
    const schema = JSON.parse(readFileSync(path.join(schemaFolder, name), 'utf8'));
    return [String(schema.$id).split(':').at(-1), z.fromJSONSchema(schema)] as const;
  }),
);

const flag: Omit<Evidence, 'at'> = {
  detector: 'forest',
  source: 'pump-3',
  score: 0.9,
  threshold: 0.7,
  channels: [{ field: 'flow', value: 3, expected: [20, 30], direction: 'low', weight: 0.8 }],
};

const notes: readonly Note[] = [
  {
    feed: 'incident',
    store: 's',
    number: 1,
    gateway: 'gw-1',
    device: 'pump-1',
    atMs: 1.7e12,
    value: { id: 'i-1' },
  },
  { feed: 'event', store: 's', number: 1, gateway: 'gw-1', atMs: 1.7e12, value: { kind: 'gap' } },
];

describe('Kafka', { skip: noService('kafka'), timeout: 240_000 }, () => {
  let server: TestBroker | undefined;
  let broker = '';
  before(async () => {
    server = await startBroker();
    broker = server.direct;
  });
  after(() => server?.[Symbol.asyncDispose]());

  /** All four kinds of topics. */
  function everything(name: string, more: object = {}): SinkOptions {
    const topics = {
      readings: readingsOf(name),
      anomalies: `${name}.anomalies`,
      incidents: `${name}.incidents`,
      events: `${name}.events`,
    };
    return { broker, name, config: { topics, createTopics: { partitions: 3 }, ...more } };
  }

  async function auditOf(name: string, config: object = {}) {
    const options = { broker, name, config: { topics: { readings: readingsOf(name) }, ...config } };
    const context = { name, collector: 'test', log: silentLogger, clock: systemClock };
    const audit = await kafka.audit!(kafkaConfigOf(options), context);
    assert.ok(audit);
    const rows: string[] = [];
    for await (const { gateway, seq, device, first, last, count } of audit.rows())
      rows.push(`${gateway}/${seq} ${device} ${first}-${last} (${count})`);
    return {
      ...audit,
      cursor: audit.cursor,
      begunLater: audit.begunLater,
      problems: audit.problems,
      rows: rows.sort(),
    };
  }

  test('messages are as the published schemas say, with key, headers and time', async () => {
    const name = 'messages';
    await using sink = kafkaSink(everything(name));
    const tape = new Tape({ seed: 21 });
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    const odd = tape.block(
      [
        {
          device: 'pump-1',
          pressure: Number.NaN,
          missing: ['flow'],
          quality: Quality.missing,
          timeMs: 1767225600000.001,
        },
        { device: 'pump-2', flag },
      ],
      { late: true },
    );
    (odd.batch.values[2] as BigInt64Array)[0] = 2n ** 60n;
    const deliveries: Delivery[] = [{ ...odd, trace }, tape.next(3)];
    await sink.write(deliveries, cursorAfter(deliveries), never, notes);

    const readings = await readTopic(broker, readingsOf(name));
    const anomalies = await readTopic(broker, `${name}.anomalies`);
    const incidents = await readTopic(broker, `${name}.incidents`);
    const events = await readTopic(broker, `${name}.events`);
    assert.deepEqual(
      [readings, anomalies, incidents, events].map(({ length }) => length),
      [8, 1, 1, 1],
    );
    for (const { value, headers } of [...readings, ...anomalies, ...incidents, ...events])
      schemas.get(headers.schema!)!.parse(JSON.parse(value!));

    const first = readings.find(({ value }) => value!.includes('1152921504606846976'))!;
    assert.equal(first.key, 'gw-1/pump-1');
    assert.equal(first.timestamp, '1767225600000');
    assert.deepEqual(first.headers, {
      gateway: 'gw-1',
      epoch: '1-a1b2',
      seq: '1',
      schema: 'edgeward.reading.v1',
      type: 'pump',
      traceparent: `00-${trace.traceId}-${trace.spanId}-01`,
    });
    const { values, ...row } = JSON.parse(first.value!);
    assert.deepEqual(row, {
      gateway: 'gw-1',
      device: 'pump-1',
      time: 1767225600000.001,
      epoch: '1-a1b2',
      seq: 1,
      row: 1,
      quality: ['missing', 'invalid'],
      score: row.score,
      anomaly: false,
      late: true,
    });
    assert.deepEqual(values, {
      discharge_pressure: null,
      starts: '1152921504606846976',
      running: false,
      mode: values.mode,
    });
    assert.deepEqual(JSON.parse(anomalies[0]!.value!).evidence, [flag]);
    assert.deepEqual(JSON.parse(incidents[0]!.value!).value, { id: 'i-1' });
    // A device stays in its partition.
    const places = new Set(readings.map(({ key, partition }) => `${key} ${partition}`));
    assert.equal(places.size, 2);
  });

  test('the schemas refuse what is no such message', () => {
    for (const schema of schemas.values()) {
      assert.ok(!schema.safeParse({}).success);
      assert.ok(!schema.safeParse({ gateway: 'gw-1', other: 1 }).success);
    }
  });

  test('topics are created as wanted, or asked for', async () => {
    const name = 'topics';
    const missing = kafkaSink(everything(name, { createTopics: { allowed: false } }));
    await assert.rejects(missing.cursor!(), error => {
      assert.ok(hasCode(error, 'EW_SINK_DENIED'));
      assert.match(
        error.message,
        /no topic .*topics\.readings.*Remedy: create it.*, or set createTopics\.allowed/,
      );
      return true;
    });
    const topics = { readings: readingsOf(name), cursors: 'topics.cursors' };
    const without = kafkaSink({ broker, name, config: { topics, createTopics: { allowed: false } } });
    await assert.rejects(
      without.cursor(),
      /create it \(topics\.cursors with one partition and cleanup\.policy=compact\)/,
    );
    await using sink = kafkaSink(everything(name));
    await sink.cursor();
    const about = await server!.service.run(
      'tool',
      'org.apache.kafka.tools.TopicCommand',
      '--bootstrap-server',
      broker,
      '--describe',
    );
    assert.match(about, /Topic: topics\.readings\s.*PartitionCount: 3\s/);
    assert.match(about, /Topic: edgeward\.cursors\s.*PartitionCount: 1\s.*cleanup\.policy=compact/);
  });

  test('a cursor topic that would lose its records is not used', async () => {
    const name = 'forgetful';
    const given = [
      ['delete', 1, /has cleanup\.policy=delete\. Remedy: .* one partition and cleanup\.policy=compact/],
      ['compact,delete', 1, /has cleanup\.policy=compact,delete\. Remedy: /],
      ['compact', 2, /has 2 partitions\. Remedy: /],
    ] as const;
    for (const [i, [policy, partitions, text]] of given.entries()) {
      const cursors = `${name}-${i}`;
      await createTopic(server!, cursors, { 'cleanup.policy': policy }, partitions);
      const topics = { readings: readingsOf(name), anomalies: null, incidents: null, events: null, cursors };
      await using sink = kafkaSink({ broker, name, config: { topics } });
      await assert.rejects(sink.cursor(), error => {
        assert.ok(hasCode(error, 'EW_SINK_DENIED'), String(error));
        assert.match(error.message, text);
        return true;
      });
    }
  });

  test('a row that is too large goes to the dead letters, and the rest is stored', async () => {
    const name = 'large';
    const refused: Refusal[] = [];
    const small = { maxMessageBytes: 2000, createTopics: { partitions: 1 } };
    const refuse = async (refusals: readonly Refusal[]) => void refused.push(...refusals);
    await using sink = kafkaSink({ ...everything(name, small), refuse });
    const tape = new Tape({ seed: 22 });
    const deliveries = [tape.next(4), tape.next(4), tape.next(4)];
    (deliveries[1]!.batch.values[4] as string[])[5] = 'x'.repeat(2000);
    await sink.write(deliveries, cursorAfter(deliveries), never);
    assert.equal((await readTopic(broker, readingsOf(name))).length, 23);
    const [{ delivery, rows, reason }] = refused as [Extract<Refusal, { delivery: Delivery }>];
    assert.deepEqual([refused.length, delivery.seq, rows], [1, 2, [5]]);
    assert.match(reason, /a message of 2\d\d\d bytes, and a batch for topic large\.readings may have 2000/);
  });

  test('a row that is too large stays a dead letter, however often it is tried, until there is room', async t => {
    const name = 'tried';
    await using journal = await openJournal(await folderFor(t));
    const refuse = (refusals: readonly Refusal[]) => journal.sinkLetters.keep(name, refusals);
    const epoch = epochOf(1);
    const { gateway, seq, batch } = new Tape({ seed: 32, epoch }).next(1);
    (batch.values[4] as string[])[1] = 'x'.repeat(2000);
    const bytes = encodeBlock({ epoch, seq, oldestEpoch: epoch, atMs: 1 }, batch);
    const block = decodeBlock(bytes, () => describeSchema(batch.schema));
    await journal.append([{ gateway, outbox: 'outbox-1', bytes, ...block, ingestedMs: 1000, late: false }]);
    const replayed: boolean[] = [];
    for (const maxMessageBytes of [2000, 2000, 2000, 20_000]) {
      await using sink = kafkaSink({ broker, name, config: { maxMessageBytes }, refuse });
      const common = { journal, clock: systemClock, log: silentLogger, lingerMs: 1 };
      const consumer = new Consumer({ ...common, name, sink });
      await consumer.open();
      const stop = new AbortController();
      const running = consumer.run(stop.signal, never);
      await until('all is passed', async () => consumer.lag === 0);
      const letters = journal.sinkLetters.list(9);
      assert.equal(letters.length, 1);
      for (const result of await consumer.replay([letters[0]!.id])) replayed.push(result.stored);
      stop.abort();
      await running;
    }
    assert.deepEqual(replayed, [false, false, false, true]);
    assert.deepEqual(journal.sinkLetters.list(9), []);
    assert.equal((await readTopic(broker, readingsOf(name))).length, 2);
  });

  test("a topic's own limit is heeded", async () => {
    const name = 'limited';
    const refused: Refusal[] = [];
    await createTopic(server!, readingsOf(name), { 'max.message.bytes': 1500 });
    const refuse = async (refusals: readonly Refusal[]) => void refused.push(...refusals);
    await using sink = kafkaSink({ ...everything(name), refuse });
    const tape = new Tape({ seed: 23 });
    const deliveries = [tape.next(20)];
    (deliveries[0]!.batch.values[4] as string[])[7] = 'x'.repeat(1500);
    await sink.write(deliveries, cursorAfter(deliveries), never);
    assert.equal((await readTopic(broker, readingsOf(name))).length, 39);
    assert.equal(refused.length, 1);
  });

  test('rows that are too old for a topic are told with its setting, and none is given up', async () => {
    const name = 'punctual';
    await createTopic(server!, readingsOf(name), { 'message.timestamp.before.max.ms': 3_600_000 });
    await using sink = kafkaSink({ broker, name });
    const delivery = new Tape({ seed: 33 }).next();
    await assert.rejects(sink.write([delivery], cursorAfter([delivery]), never), error => {
      assert.ok(hasCode(error, 'EW_SINK_DENIED'), String(error));
      assert.match(error.message, /INVALID_TIMESTAMP.*Remedy: check .*message\.timestamp\.before\.max\.ms/);
      return true;
    });
  });

  test('a second collector of the same name fences the first, which says so', async () => {
    const options = everything('zombie');
    await using former = kafkaSink(options);
    await using latter = kafkaSink(options);
    const tape = new Tape({ seed: 24 });
    const deliveries = [tape.next(), tape.next(), tape.next()];
    await former.cursor();
    await former.write(deliveries.slice(0, 1), cursorAfter(deliveries.slice(0, 1)), never);
    assert.equal((await latter.cursor())?.position, 1);
    await assert.rejects(former.write(deliveries, cursorAfter(deliveries), never), error => {
      assert.ok(hasCode(error, 'EW_SINK_DENIED'));
      assert.match(
        error.message,
        /transactional id edgeward-test-zombie.*stop one of them or give it another name/,
      );
      return true;
    });
    await latter.write(deliveries, cursorAfter(deliveries), never);
    await former.write(deliveries, cursorAfter(deliveries), never); // it takes over again, and finds all stored
    assert.equal((await readTopic(broker, readingsOf('zombie'))).length, 18);
  });

  test('epochs that are over are forgotten, and the rest outlives the journal', async () => {
    const options = everything('epochs');
    await using sink = kafkaSink(options);
    const tapes = ['1-aa', '2-aa'].map((epoch, i) => new Tape({ seed: 25 + i, epoch }));
    const old = tapes[0]!.next(1);
    let cursor = cursorAfter([old]);
    await sink.write([old], cursor, never);
    for (let i = 0; i < 130; i++) {
      const delivery = { ...tapes[1]!.next(1), position: 2 + i };
      cursor = cursorAfter([delivery], 'journal-1', cursor);
      const { 'gw-1/1-aa': _over, ...received } = cursor.received;
      cursor = { ...cursor, received };
      await sink.write([delivery], cursor, never);
    }
    await using again = kafkaSink(options);
    assert.deepEqual(await again.cursor(), { ...cursor, notes: {} });
  });

  test('what is received in very many pieces is kept, in records that a broker takes', async () => {
    const options = everything('pieces');
    const holes = (n: number) => Array.from({ length: n }, (_, i) => [2 * i + 1, 2 * i + 1] as const);
    const cursor = { ...cursorAfter([]), position: 9, received: { 'gw-1/1-aa': holes(90_000) }, notes: {} };
    {
      await using sink = kafkaSink(options);
      await sink.write([], cursor, never);
    }
    await using again = kafkaSink(options);
    assert.deepEqual(await again.cursor(), cursor);
  });

  test('of epochs that it never told of, a consumer has forgotten nothing', async () => {
    const options = everything('turns');
    const [mine, other, both] = ['1-aa', '2-aa', '3-aa'].map((epoch, i) =>
      new Tape({ seed: 36 + i, epoch, position: i + 1 }).next(1),
    ) as [Delivery, Delivery, Delivery];
    let isLost = false;
    const lossy = (wire: Wire): Wire => ({
      close: () => wire.close(),
      connect: async (host, port) => {
        const node = await wire.connect(host, port);
        const call: Node['call'] = async what => {
          const answer = await node.call(what);
          if (isLost && what.name === 'EndTxn') throw new Error('the answer is lost');
          return answer;
        };
        return { call };
      },
    });
    const cursors = { one: cursorAfter([mine]), two: cursorAfter([mine, other]) };
    await using first = kafkaSink({ ...options, wrap: lossy });
    await first.write([mine], cursors.one, never);
    {
      await using second = kafkaSink(options);
      await second.write([other], cursors.two, never);
    }
    // The first has never heard of the other's.
    const third = cursorAfter([both], 'journal-1', cursors.one);
    await assert.rejects(first.write([both], third, never), /another producer/);
    isLost = true;
    await assert.rejects(first.write([both], third, never), /answer is lost/);
    isLost = false;
    await first.write([], cursors.one, never); // smaller, as after a failure
    await using sink = kafkaSink(options);
    assert.deepEqual(Object.keys((await sink.cursor())?.received ?? {}).sort(), [
      'gw-1/1-aa',
      'gw-1/2-aa',
      'gw-1/3-aa',
    ]);
  });

  test('notes come once, and a letter is replayed once', async () => {
    const name = 'letters';
    const options = everything(name);
    const tape = new Tape({ seed: 27 });
    const [stored, letter] = [tape.next(2), tape.next(2)];
    const cursor = cursorAfter([stored, letter]);
    {
      await using sink = kafkaSink(options);
      await sink.write([stored], cursor, never, notes);
      await sink.write([stored], cursor, never, notes);
      await sink.replay('letter-1', [letter], [], never);
      assert.equal((await sink.cursor())?.position, cursor.position);
    }
    await using sink = kafkaSink(options);
    await sink.replay('letter-1', [letter], [], never);
    await sink.write([stored], cursor, never, notes);
    assert.deepEqual((await sink.cursor())?.notes, { 'incident/s': 1, 'event/s': 1 });
    assert.equal((await readTopic(broker, readingsOf(name))).length, 8);
    assert.equal((await readTopic(broker, `${name}.incidents`)).length, 1);
  });

  test('an audit reads back what the sink itself has stored', async () => {
    const name = 'audited';
    assert.deepEqual((await auditOf(name)).rows, []);
    const options = { ...everything(name, { compression: 'gzip' }) };
    await using sink = kafkaSink(options);
    const tape = new Tape({ seed: 28, devices: ['a', 'b'] });
    const deliveries = [tape.next(3), tape.next(2)];
    const cursor = cursorAfter(deliveries);
    await sink.write(deliveries, cursor, never);
    // Another sink writes to the same topic.
    await using other = kafkaSink({ ...options, name: 'neighbour' });
    await other.write([new Tape({ seed: 29, gateway: 'gw-9' }).next()], cursorAfter([]), never);
    const audit = await auditOf(name);
    assert.deepEqual(audit.rows, [
      'gw-1/1 a 1-3 (3)',
      'gw-1/1 b 1-3 (3)',
      'gw-1/2 a 4-5 (2)',
      'gw-1/2 b 4-5 (2)',
    ]);
    assert.deepEqual(audit.cursor, { ...cursor, notes: {} });
    assert.deepEqual([audit.begunLater, audit.problems], [false, []]);
  });
});
