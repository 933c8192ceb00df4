/** The Kafka sink with a real broker. */
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { readTopic } from '@edgeward/collector/testing/kafka-reader';
import { type StoredRow, sinkConformance } from '@edgeward/collector/testing/sink-conformance';
import { seededRng } from '@edgeward/shared/rng';
import { failingWire, kafkaSink, readingsOf, startBroker, type TestBroker } from '../support/kafka.js';
import { noService } from '../support/services.js';

describe('Kafka', { skip: noService('kafka'), timeout: 240_000 }, () => {
  let server: TestBroker | undefined;
  let broker = '';
  before(async () => {
    server = await startBroker();
    broker = server.direct;
  });
  after(() => server?.[Symbol.asyncDispose]());

  const topicsOf = (name: string) => ({
    readings: readingsOf(name),
    incidents: `${name}.incidents`,
    anomalies: null,
    events: null,
  });
  const nameOf = (dir: string) => path.basename(dir);
  sinkConformance('kafka', {
    create: (dir, refuse) =>
      kafkaSink({
        broker,
        name: nameOf(dir),
        config: { topics: topicsOf(nameOf(dir)) },
        ...(refuse && { refuse }),
      }),
    createFailing: (dir, failing) => {
      const rng = seededRng(4);
      return kafkaSink({ broker, name: nameOf(dir), wrap: wire => failingWire(wire, failing, rng) });
    },
    rowsOf: async dir =>
      (await readTopic(broker, readingsOf(nameOf(dir)))).map(({ value }) => JSON.parse(value!) as StoredRow),
    refusesLongTexts: true,
    noteIdsOf: async dir =>
      (await readTopic(broker, topicsOf(nameOf(dir)).incidents)).map(
        ({ value }) => JSON.parse(value!).value.id,
      ),
  });
});
