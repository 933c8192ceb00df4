/** What is taken from a plant's broker, every acknowledgement behind an fsync. */
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';
import { runMqtt } from './mqtt-source.js';

export async function mqttFigures({ full }: DeliveryContext): Promise<Figure[]> {
  const messages = full ? 1_000_000 : 200_000;
  const options = { messages, window: 1000, collector: false, onProgress: () => undefined };
  const { cpuSPerMillion, messagesPerS } = await runMqtt(options, 'number', 0);
  return [
    {
      name: 'MQTT QoS 1, one reading a message: CPU-s a million',
      goal: { atMost: 12 },
      measured: cpuSPerMillion,
      note: 'Telegraf 1.37 in memory, measured apart: 7.7–8.6 CPU-s a million',
    },
    { name: 'MQTT QoS 1, one reading a message: readings/s', measured: messagesPerS },
  ];
}
