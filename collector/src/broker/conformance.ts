/** Where aedes 1.2 differs from MQTT 3.1.1, and what is done about it. */
import { Readable } from 'node:stream';
import type { Aedes, Client } from 'aedes';

interface Stored {
  readonly cmd: string;
  readonly messageId?: number;
  dup: boolean;
}

interface SessionStore {
  outgoingStream(client: Client): AsyncIterable<Stored>;
}

/** [MQTT-3.3.1-1]: what was sent before has DUP when it is sent again. A stored packet has an id once it was sent. */
export function markRedelivery(aedes: Aedes): void {
  const { persistence } = aedes as unknown as { persistence: SessionStore };
  const stored = persistence.outgoingStream.bind(persistence);
  persistence.outgoingStream = client => Readable.from(marked(stored(client)));
}

async function* marked(packets: AsyncIterable<Stored>): AsyncGenerator<Stored, void, void> {
  for await (const packet of packets) {
    if (packet.cmd === 'publish' && packet.messageId) packet.dup = true;
    yield packet;
  }
}

/** [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1]; aedes lets `a#` and `+a` pass. */
export function isTopicFilter(filter: string): boolean {
  const levels = filter.split('/');
  const fits = (level: string, at: number) =>
    level === '+' || (level === '#' && at === levels.length - 1) || !/[+#\0]/.test(level);
  return filter !== '' && levels.every(fits);
}

/**
 * The protocol level of a CONNECT that begins here, if its name is `MQTT` and enough of it has come. Any level but 3
 * and 4 is answered [MQTT-3.1.2-2]; aedes hangs up on what it cannot parse.
 */
export function protocolLevel(bytes: Buffer): number | undefined {
  let at = 1;
  while (at < 4 && bytes[at]! >= 128) at += 1;
  const name = bytes.subarray(at + 1, at + 7);
  return name.toString('latin1') === '\0\x04MQTT' ? bytes[at + 7] : undefined;
}

/** CONNACK: unacceptable protocol version. */
export const unacceptableLevel = Buffer.from([0x20, 2, 0, 1]);
