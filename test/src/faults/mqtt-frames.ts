/** Just enough of MQTT 3.1.1 to say again, in another order, what an agent has said: whole packets as they were sent. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const publish = 3;

/** The packets in a stream that was recorded from its beginning; a last one that is not whole is left out. */
export function framesIn(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const { length, bytes } = remainingLength(stream, at + 1);
    const end = at + 1 + bytes + length;
    if (end > stream.length) break;
    frames.push(stream.subarray(at, end));
    at = end;
  }
  return frames;
}

/** The topic of a PUBLISH; undefined for other packets. */
export function topicIn(frame: Buffer): string | undefined {
  if (frame[0]! >> 4 !== publish) return undefined;
  const start = 1 + remainingLength(frame, 1).bytes;
  return frame.toString('utf8', start + 2, start + 2 + frame.readUInt16BE(start));
}

export const isBlock = (frame: Buffer): boolean => topicIn(frame)?.endsWith('/block') === true;
export const isGoodbye = (frame: Buffer): boolean => frame[0]! >> 4 === 14;

/** A PUBLISH of QoS 0. */
export function publishFrame(topic: string, payload: Buffer): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(name.length);
  const length = encodeLength(2 + name.length + payload.length);
  return Buffer.concat([Buffer.of(publish << 4), length, head, name, payload]);
}

/** A CONNECT with a clean session and nothing else. */
export function connectFrame(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const body = Buffer.concat([
    Buffer.from('\0\x04MQTT\x04\x02\0\x3c', 'latin1'),
    Buffer.of(0, id.length),
    id,
  ]);
  return Buffer.concat([Buffer.of(0x10), encodeLength(body.length), body]);
}

/** The start of a PUBLISH that announces so many bytes. */
export function announcement(bytes: number): Buffer {
  return Buffer.concat([Buffer.of(publish << 4), encodeLength(bytes)]);
}

/** A connection that says what it is given. Errors are the other side's answer, not ours to throw. */
export async function speak(port: number, frames: readonly Buffer[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  for (const frame of frames) {
    if (socket.destroyed) break;
    if (!socket.write(frame)) await drained(socket);
  }
  return socket;
}

/** Or closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

function remainingLength(stream: Buffer, at: number): { length: number; bytes: number } {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const byte = stream[at + i] ?? 0;
    length += (byte & 127) * 128 ** i;
    if (byte < 128) return { length, bytes: i + 1 };
  }
  throw new RangeError(`no MQTT packet at byte ${at - 1}`);
}

function encodeLength(length: number): Buffer {
  const bytes: number[] = [];
  for (let rest = length; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128))
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
  return Buffer.from(bytes);
}
