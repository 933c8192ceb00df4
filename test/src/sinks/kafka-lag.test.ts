/** How far consumer groups are behind, of both of Kafka's group protocols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import type { ReaderLag } from '@edgeward/shared/contracts';
import { kafkaSink, readingsOf, startBroker } from '../support/kafka.js';
import { until } from '../support/processes.js';
import { noService } from '../support/services.js';

const never = new AbortController().signal;

test('the lag of groups is told in messages and seconds, whatever protocol they speak', {
  skip: noService('kafka'),
  timeout: 180_000,
}, async () => {
  await using broker = await startBroker();
  const name = 'lag';
  const groups = ['classic', 'consumer', 'nobody'];
  const config = {
    topics: { readings: readingsOf(name), anomalies: null, incidents: null, events: null },
    createTopics: { partitions: 2 },
    lagGroups: groups,
    lagEveryS: 1,
  };
  await using sink = kafkaSink({ broker: broker.direct, name, config });
  const tape = new Tape({ seed: 41, devices: ['a', 'b', 'c', 'd', 'e', 'f'] });
  const first = tape.next(5);
  await sink.cursor();
  await sink.write([first], cursorAfter([first]), never);

  for (const protocol of ['classic', 'consumer'])
    await broker.service.run(
      'tool',
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      ...['--bootstrap-server', broker.direct, '--topic', readingsOf(name), '--from-beginning'],
      ...['--isolation-level', 'read_committed', '--group', protocol, '--max-messages', '30'],
      ...['--command-property', `group.protocol=${protocol}`, '--timeout-ms', '30000'],
    );
  const lagOf = (group: string) => sink.readers().filter(lag => lag.group === group);
  const sum = (lags: readonly ReaderLag[]) => lags.reduce((messages, lag) => messages + lag.messages, 0);
  const [caughtUp] = [2]; // of each partition the marker of the transaction may be left
  await until('both groups have taken all', async () =>
    ['classic', 'consumer'].every(group => lagOf(group).length === 2 && sum(lagOf(group)) <= caughtUp),
  );
  assert.deepEqual(lagOf('nobody'), [], 'a group that there is not is no error');

  const more = tape.next(10);
  await sink.write([more], cursorAfter([first, more]), never);
  const behind = await until('both groups are behind', async () => {
    const found = ['classic', 'consumer'].map(lagOf);
    return found.every(lags => sum(lags) >= 60) && found;
  });
  for (const lags of behind) {
    assert.ok(sum(lags) <= 60 + 2 * caughtUp, `${sum(lags)} messages`);
    assert.deepEqual([...new Set(lags.map(({ topic }) => topic))], [readingsOf(name)]);
  }
  await until('and longer so', async () => lagOf('consumer').every(({ seconds }) => seconds >= 2));
  await broker.service.kill();
  await until('nothing is told while nothing is known', async () => sink.readers().length === 0);
});
