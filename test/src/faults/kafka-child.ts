/**
 * What a collector does for its Kafka sink, without agents: fills its journal, and follows it with the sink, until
 * all is stored or it is killed. `node kafka-child.js FOLDER BROKER NAME BLOCKS`
 */
import { Consumer } from '@edgeward/collector/consumer';
import { openJournal } from '@edgeward/collector/journal/testing/blocks';
import { systemClock } from '@edgeward/shared/clock';
import { createLogger } from '@edgeward/shared/log';
import { kafkaSink } from '../support/kafka.js';
import { blocksOf } from './kafka-blocks.js';

const [folder = '', broker = '', name = '', blocks = ''] = process.argv.slice(2);
const log = createLogger('child', 'info');
const options = { requestTimeoutMs: 5000, createTopics: { partitions: 3 } };
await using sink = kafkaSink({ broker, name, config: options });
await using journal = await openJournal(folder);
const consumer = new Consumer({ name, sink, journal, clock: systemClock, log, lingerMs: 20 });
const stop = new AbortController();
const never = new AbortController().signal;
for (;;) {
  try {
    await consumer.open();
    break;
  } catch (error) {
    log.warn(String(error));
    await systemClock.sleep(200, never);
  }
}
const following = consumer.run(stop.signal, never);
// Known blocks are not stored again: each start offers all of them.
for (const part of blocksOf(Number(blocks))) {
  const fresh = await journal.append(part);
  if (fresh.length > 0) await systemClock.sleep(10, never);
}
while (consumer.position < journal.position) await systemClock.sleep(20, never);
stop.abort();
await following;
process.stdout.write('done\n');
