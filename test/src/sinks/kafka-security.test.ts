/** TLS, logging in and rights, with a broker that demands all of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { collectorConfig } from '@edgeward/collector/config';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import { readTopic } from '@edgeward/collector/testing/kafka-reader';
import { allow, type Right } from '@edgeward/collector/testing/kafka-rights';
import type { Refusal } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { Authority } from '../support/certificates.js';
import { createTopic, kafkaSink, readingsOf, startBroker, type TestBroker } from '../support/kafka.js';
import { freePort } from '../support/processes.js';
import { noService } from '../support/services.js';

const never = new AbortController().signal;
const password = 'correct-horse';
const jaas = 'org.apache.kafka.common.security';

describe('Kafka', { skip: noService('kafka'), timeout: 240_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-kafka-tls-'));
  const file = (name: string, text: string) => {
    const where = path.join(folder, name);
    writeFileSync(where, text);
    return where;
  };
  const passwords = { right: file('right', password), wrong: file('wrong', 'wrong-horse') };
  let authority: Authority | undefined;
  let client = { certificate: '', key: '' };
  let server: TestBroker | undefined;
  let secured = '';

  before(async () => {
    authority = new Authority(folder);
    client = authority.issue('collector');
    const port = await freePort();
    secured = `localhost:${port}`;
    server = await startBroker({
      beside: [{ name: 'SASL_SSL', port, protocol: 'SASL_SSL' }],
      properties: [
        'sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN',
        `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${jaas}.scram.ScramLoginModule required;`,
        `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${jaas}.scram.ScramLoginModule required;`,
        `listener.name.sasl_ssl.plain.sasl.jaas.config=${jaas}.plain.PlainLoginModule required user_writer="${password}";`,
        'ssl.keystore.type=PEM',
        `ssl.keystore.location=${authority.issue('broker').both}`,
        'ssl.truststore.type=PEM',
        `ssl.truststore.location=${authority.file}`,
        'ssl.client.auth=required',
        'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users=User:ANONYMOUS',
      ],
      env: {
        KAFKA_FORMAT_ARGS: ['256', '512']
          .flatMap(bits => ['writer', 'stranger'].map(user => [bits, user]))
          .map(([bits, user]) => `--add-scram SCRAM-SHA-${bits}=[name=${user},password=${password}]`)
          .join(' '),
      },
    });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function sinkOf(
    name: string,
    { sasl = {}, tls = {}, ...more }: Record<string, object> = {},
    refuse?: (refusals: readonly Refusal[]) => Promise<void>,
  ) {
    return kafkaSink({
      broker: secured,
      name,
      ...(refuse && { refuse }),
      config: {
        sasl: { username: 'writer', password: { file: passwords.right }, ...sasl },
        tls: { ca: authority!.file, certificate: client.certificate, key: client.key, ...tls },
        topics: { readings: readingsOf(name), anomalies: null, incidents: null, events: null },
        createTopics: { partitions: 1 },
        connectTimeoutMs: 5000,
        ...more,
      },
    });
  }

  async function assertDenied(name: string, options: Record<string, object>, text: RegExp): Promise<void> {
    await using sink = sinkOf(name, options);
    await assert.rejects(sink.cursor(), error => {
      assert.ok(hasCode(error, 'EW_SINK_DENIED'), String(error));
      assert.match(error.message, text);
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error.cause)}`, /horse/, 'no secret is told');
      return true;
    });
  }

  const give = (...rights: Right[]) => allow(server!.direct, 'writer', rights);

  test('a wrong password, certificate or authority is told with what to do', async () => {
    const wrong = { password: { file: passwords.wrong } };
    await assertDenied(
      'denied',
      { sasl: wrong },
      /Remedy: check sasl\.mechanism, sasl\.username and the password/,
    );
    await assertDenied('denied', { sasl: { ...wrong, mechanism: 'plain' } }, /Remedy: check sasl\./);
    const absent = { password: { file: path.join(folder, 'absent') } };
    await assertDenied('denied', { sasl: absent }, /The file .*absent for a secret/);
    const other = new Authority(mkdtempSync(path.join(folder, 'other-')), 'other').file;
    await assertDenied('denied', { tls: { ca: other } }, /Remedy: check tls\.ca/);
    await assertDenied(
      'denied',
      { tls: { serverName: 'elsewhere.example' } },
      /Remedy: check tls\.ca, tls\.serverName/,
    );
  });

  test('rights that are missing are named; with those of the documentation it stores', async () => {
    const name = 'rights';
    await assertDenied(
      name,
      {},
      /topic \S+: TOPIC_AUTHORIZATION_FAILED.*Remedy: allow Describe and Write on its topics/,
    );
    const [readings, cursors] = [readingsOf(name), 'edgeward.cursors'];
    for (const topic of [readings, cursors])
      await give({ on: 'TOPIC', name: topic, operations: ['DESCRIBE', 'WRITE'] });
    await assertDenied(name, {}, /create topic .*TOPIC_AUTHORIZATION_FAILED.*or create the topics by hand/);
    await give({ on: 'TOPIC', name: readings, operations: ['CREATE'] });
    await give({ on: 'TOPIC', name: cursors, operations: ['CREATE', 'READ'] });
    await assertDenied(
      name,
      {},
      /transactional id edgeward-test-rights.*allow Write and Describe on the transactional id/,
    );
    await give({ on: 'TRANSACTIONAL_ID', name: 'edgeward-test-rights', operations: ['DESCRIBE', 'WRITE'] });

    const tape = new Tape({ seed: 31 });
    const deliveries = [tape.next(), tape.next()];
    let stored = 0;
    for (const mechanism of ['scram-sha-512', 'scram-sha-256', 'plain']) {
      await using sink = sinkOf(name, { sasl: { mechanism } });
      assert.equal((await sink.cursor())?.position ?? 0, stored);
      stored = Math.min(stored + 1, deliveries.length);
      const part = deliveries.slice(0, stored);
      await sink.write(part, cursorAfter(part), never);
    }
    assert.equal((await readTopic(server!.direct, readingsOf(name))).length, 12);
    await assertDenied(name, { sasl: { username: 'stranger' } }, /TOPIC_AUTHORIZATION_FAILED/);
  });

  /** Topics made by hand, and all that the documentation asks for but DescribeConfigs. */
  async function prepare(name: string, topics: readonly string[], settings = {}): Promise<void> {
    for (const topic of topics) {
      await createTopic(server!, topic, settings);
      await give({ on: 'TOPIC', name: topic, operations: ['DESCRIBE', 'WRITE'] });
    }
    await give({
      on: 'TOPIC',
      name: 'edgeward.cursors',
      operations: ['CREATE', 'DESCRIBE', 'READ', 'WRITE'],
    });
    const transactions = `edgeward-test-${name}`;
    await give({ on: 'TRANSACTIONAL_ID', name: transactions, operations: ['DESCRIBE', 'WRITE'] });
  }

  test('where a right is missing on one topic of several, that one is named', async () => {
    const name = 'halfway';
    const anomalies = `${name}.anomalies`;
    await prepare(name, [readingsOf(name)]);
    await createTopic(server!, anomalies);
    await give({ on: 'TOPIC', name: anomalies, operations: ['DESCRIBE'] });
    const topics = { readings: readingsOf(name), anomalies, incidents: null, events: null };
    await using sink = sinkOf(name, { topics });
    const tape = new Tape({ seed: 34 });
    const flag = { detector: 'forest' as const, source: 'pump-3', score: 0.9, threshold: 0.7, channels: [] };
    const delivery = tape.block([{ device: 'pump-1' }, { device: 'pump-1', flag }]);
    await assert.rejects(sink.write([delivery], cursorAfter([delivery]), never), error => {
      assert.ok(hasCode(error, 'EW_SINK_DENIED'), String(error));
      assert.match(
        error.message,
        /halfway\.anomalies, partition 0: TOPIC_AUTHORIZATION_FAILED.*Remedy: allow/,
      );
      return true;
    });
  });

  test("a topic's own limit that may not be read is learned: all that fits is stored", async () => {
    const name = 'unread';
    await prepare(name, [readingsOf(name)], { 'max.message.bytes': 1500 });
    const refused: Refusal[] = [];
    await using sink = sinkOf(name, {}, async refusals => void refused.push(...refusals));
    const tape = new Tape({ seed: 35 });
    const deliveries = [tape.next(20), tape.next(20)];
    const modes = deliveries[0]!.batch.values[4] as string[];
    modes[7] = 'x'.repeat(1500);
    modes[9] = 'x'.repeat(900); // fits, but hardly with others
    await sink.write(deliveries, cursorAfter(deliveries), never);
    assert.deepEqual(
      refused.map(one => 'rows' in one && one.rows),
      [[7]],
    );
    const more = tape.next(20);
    await sink.write([more], cursorAfter([more], 'journal-1', cursorAfter(deliveries)), never);
    assert.equal((await readTopic(server!.direct, readingsOf(name))).length, 79 + 40);
  });
});

function messages(options: object): string[] {
  const { error } = collectorConfig.safeParse({ sinks: [{ type: 'kafka', ...options }] });
  return error?.issues.map(({ path: where, message }) => `${where.join('.')}: ${message}`) ?? [];
}

test('each kind of record has a topic of its own', () => {
  const brokers = ['127.0.0.1:9092'];
  const remedy = 'Remedy: give each a topic of its own, or null for none';
  assert.deepEqual(messages({ brokers, topics: { anomalies: 'sensor.readings' } }), [
    `sinks.0.topics.anomalies: is sensor.readings, as topics.readings. ${remedy}`,
  ]);
  assert.deepEqual(messages({ brokers, topics: { readings: 'plant', cursors: 'plant' } }), [
    `sinks.0.topics.cursors: is plant, as topics.readings. ${remedy}`,
  ]);
  assert.deepEqual(messages({ brokers, topics: { anomalies: null, incidents: null } }), []);
});

test('a password is not sent as it is to another machine', () => {
  const sasl = { username: 'writer', password: { env: 'KAFKA_PASSWORD' } };
  const plain = { ...sasl, mechanism: 'plain' };
  const [only] = messages({ brokers: ['127.0.0.1:9092', 'kafka.example:9092'], sasl: plain });
  assert.equal(
    only,
    'sinks.0.sasl.mechanism: the password would go to kafka.example:9092 as it is. Remedy: add tls, or use scram-sha-512',
  );
  assert.deepEqual(messages({ brokers: ['localhost:9092', '[::1]:9092'], sasl: plain }), []);
  assert.deepEqual(messages({ brokers: ['kafka.example:9092'], sasl: plain, tls: {} }), []);
  assert.deepEqual(messages({ brokers: ['kafka.example:9092'], sasl }), []);
  assert.match(messages({ brokers: ['kafka.example'] })[0]!, /Remedy: write host:port/);
  assert.match(messages({ brokers: ['a:1'], tls: { key: 'k.pem' } })[0]!, /Remedy: give both or none/);
});
