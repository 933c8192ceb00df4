/** A consumer group as somebody's own job is one: it takes what comes, as fast as it is told to, and commits. */
import { Kafka, logLevel } from 'kafkajs';

export class KafkaGroup implements AsyncDisposable {
  /** Between two messages, ms; Infinity: it takes no more, and stays in its group. */
  paceMs = 0;
  taken = 0;
  readonly #consumer;
  #ended = false;

  private constructor(broker: string, groupId: string) {
    const kafka = new Kafka({ brokers: [broker], clientId: groupId, logLevel: logLevel.NOTHING });
    this.#consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, sessionTimeout: 60_000 });
  }

  static async join(broker: string, topic: string, groupId: string): Promise<KafkaGroup> {
    const group = new KafkaGroup(broker, groupId);
    await group.#consumer.connect();
    await group.#consumer.subscribe({ topic, fromBeginning: true });
    await group.#consumer.run({
      autoCommitInterval: 500,
      eachMessage: async ({ heartbeat }) => {
        const fromMs = performance.now();
        while (!group.#ended && performance.now() - fromMs < group.paceMs) {
          await heartbeat();
          await new Promise(resolve => setTimeout(resolve, Math.min(50, group.paceMs)));
        }
        group.taken += 1;
      },
    });
    return group;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#consumer.disconnect();
  }
}
