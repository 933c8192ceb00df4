import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from './cluster.js';
import { KafkajsWire } from './kafkajs-wire.js';
import type { Node, Wire } from './wire.js';

test('where no broker can be reached, each is named with its reason', async () => {
  const wire: Wire = {
    connect: async host => {
      throw new Error(`${host} is down`);
    },
    close: () => {},
  };
  const reason = 'no broker can be reached (one:9092: one is down; [::1]:9093: ::1 is down)';
  await assert.rejects(new Cluster(wire, ['one:9092', '[::1]:9093']).anyone(), { message: reason });
  await assert.rejects(new Cluster(wire, ['one:9092']).anyone(), { message: 'one is down' });
});

test('a password is not sent as it is to a broker that another one has named', async () => {
  const wires = ['plain', 'scram-sha-512'].map(
    mechanism =>
      new KafkajsWire({
        clientId: 'test',
        sasl: { mechanism: mechanism as 'plain', username: 'writer', password: 'correct-horse' },
        connectionTimeout: 200,
        requestTimeout: 200,
        logLevel: 0,
        logCreator: () => () => {},
      }),
  );
  const [plain, scram] = wires as [KafkajsWire, KafkajsWire];
  // Nobody is there: 192.0.2.0/24 is for documentation.
  const node: Node = { call: async () => ({ host: '192.0.2.1', port: 9092 }) as never };
  const led = (wire: Wire) =>
    new Cluster(
      {
        connect: async (host, port) => (host === '127.0.0.1' ? node : wire.connect(host, port)),
        close: () => wire.close(),
      },
      ['127.0.0.1:9092'],
    );
  await assert.rejects(led(plain).coordinator('transaction', 'id'), {
    code: 'EW_SINK_DENIED',
    message: /The password would go to the broker 192\.0\.2\.1:9092 as it is\. Remedy: add tls/,
  });
  await assert.rejects(led(scram).coordinator('transaction', 'id'), { name: /KafkaJS/ });
  for (const wire of wires) wire.close();
});
