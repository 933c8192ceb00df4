import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { topicOf } from '@edgeward/shared/topics';
import { Broker, type BrokerOptions } from '../broker.js';
import type { Message } from '../ingest.js';

/** A broker on a free port of loopback, and what came through it. */
export async function openBroker(options: Partial<BrokerOptions> = {}) {
  const [messages, topics, arrived] = [[] as Message[], [] as string[], new Gate()];
  const broker = await Broker.open({
    host: '127.0.0.1',
    port: 0,
    users: undefined,
    log: silentLogger,
    room: () => undefined,
    onMessage: message => {
      messages.push(message);
      topics.push(topicOf(message.gateway, message.kind));
      arrived.open();
    },
    ...options,
  });
  return {
    broker,
    messages,
    topics,
    /** Looks whenever a message has come. */
    async until(ready: () => boolean): Promise<void> {
      while (!ready()) await arrived.wait();
    },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}
