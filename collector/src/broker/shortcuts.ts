/**
 * Ways around aedes for what comes and goes with every block. Its own way costs several times as much: a copy of the
 * packet, a search through all subscriptions and a few turns of the event loop for each message.
 */
import { Readable } from 'node:stream';
import type { Aedes, AedesPublishPacket, Client } from 'aedes';

type Done = (error?: Error | null) => void;
type Publish = (packet: AedesPublishPacket, ...rest: [Client, Done] | [Done]) => void;
type Retained = Pick<AedesPublishPacket, 'cmd' | 'qos' | 'topic' | 'payload'>;
interface Insides {
  publish: Publish;
  readonly persistence: {
    storeRetained(packet: Retained): Promise<void>;
    createRetainedStreamCombi(filters: readonly string[]): Readable;
  };
}

/** What clients publish goes straight to `deliver`, and nowhere else but into the store. Only where no client may read it. */
export function deliverDirectly(
  aedes: Aedes,
  deliver: (packet: AedesPublishPacket, client: Client) => void,
): void {
  const insides = aedes as unknown as Insides;
  const publish = insides.publish.bind(aedes) as Publish;
  insides.publish = (packet, ...rest) => {
    const [client, done] = rest;
    if (!done || typeof client === 'function') return publish(packet, ...rest);
    deliver(packet, client);
    if (packet.retain) publish(packet, ...rest);
    else done(null);
  };
}

/** For a filter without wildcards aedes compares every retained topic: with n gateways, n² of them as all connect. */
export function findRetainedByTopic(aedes: Aedes): void {
  const { persistence } = aedes as unknown as Insides;
  const topics = new Map<string, Retained>();
  const store = persistence.storeRetained.bind(persistence);
  const search = persistence.createRetainedStreamCombi.bind(persistence);
  persistence.storeRetained = async packet => {
    await store(packet);
    const { cmd, qos, topic, payload } = packet;
    if (payload.length === 0) topics.delete(topic);
    else topics.set(topic, { cmd, qos, topic, payload });
  };
  persistence.createRetainedStreamCombi = filters => {
    if (filters.some(filter => /[+#]/.test(filter))) return search(filters);
    return Readable.from(filters.flatMap(topic => topics.get(topic) ?? []));
  };
}

const publishQos0 = 0x30;
const puback = 0x40;
const pubackBytes = 4;

/** A PUBLISH of QoS 0 [MQTT 3.1.1, 3.3], behind PUBACKs of these packet ids. */
export function publishFrame(topic: string, payload: string, acknowledged: readonly number[] = []): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const length = 2 + topicBytes + Buffer.byteLength(payload);
  const lengthBytes = length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;
  const start = pubackBytes * acknowledged.length;
  const frame = Buffer.allocUnsafe(start + 1 + lengthBytes + length);
  writePubacks(frame, acknowledged);
  frame[start] = publishQos0;
  for (let i = 0, left = length; i < lengthBytes; i++, left >>>= 7)
    frame[start + 1 + i] = (left & 127) | (i < lengthBytes - 1 ? 128 : 0);
  let at = frame.writeUInt16BE(topicBytes, start + 1 + lengthBytes);
  at += frame.write(topic, at);
  frame.write(payload, at);
  return frame;
}

/** [MQTT 3.1.1, 3.4], one after the other. */
export function pubackFrames(ids: readonly number[]): Buffer {
  const frames = Buffer.allocUnsafe(pubackBytes * ids.length);
  writePubacks(frames, ids);
  return frames;
}

function writePubacks(frames: Buffer, ids: readonly number[]): void {
  let at = 0;
  for (const id of ids) {
    frames[at] = puback;
    frames[at + 1] = 2;
    at = frames.writeUInt16BE(id, at + 2);
  }
}
