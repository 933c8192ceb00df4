/**
 * What a scorer remembers, as bytes: read only by the version that wrote them, on the machine that did.
 *
 *     "EWSCORE1", CRC-32C of all that follows, length of the header, header (JSON, filled up to eight bytes), numbers
 */
import { crc32c } from '@edgeward/shared/crc32c';
import { version } from '@edgeward/shared/version';
import { z } from 'zod';
import type { DeviceMemory } from './memory.js';

/** What one model remembers. */
export interface ModelMemory {
  readonly type: string;
  readonly revision: string;
  readonly devices: readonly DeviceMemory[];
}

const mark = 'EWSCORE1';
const [crcAt, lengthAt, headerAt] = [8, 12, 16];

const headerSchema = z.strictObject({
  version: z.string(),
  models: z.array(
    z.strictObject({
      type: z.string(),
      revision: z.string(),
      /** Name, time of the newest row, count of numbers. */
      devices: z.array(z.tuple([z.string(), z.number(), z.int().nonnegative()])),
    }),
  ),
});

export function packState(models: readonly ModelMemory[]): Uint8Array {
  const listed = models.map(({ type, revision, devices }) => ({
    type,
    revision,
    devices: devices.map(({ name, newestMs, numbers }) => [name, newestMs, numbers.length]),
  }));
  const text = Buffer.from(JSON.stringify({ version, models: listed }));
  const header = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(header);
  const start = Buffer.alloc(headerAt);
  start.write(mark, 'latin1');
  start.writeUInt32LE(header.length, lengthAt);
  const numbers = models.flatMap(({ devices }) => devices.map(device => bytesOf(device.numbers)));
  const bytes = Buffer.concat([start, header, ...numbers]);
  bytes.writeUInt32LE(crc32c(bytes.subarray(lengthAt)), crcAt);
  return bytes;
}

/** @throws RangeError, SyntaxError or ZodError unless it is whole, and of this version */
export function unpackState(bytes: Uint8Array): ModelMemory[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (all.length < headerAt || all.toString('latin1', 0, crcAt) !== mark)
    throw new RangeError('it is no state of a scorer');
  if (all.readUInt32LE(crcAt) !== crc32c(all.subarray(lengthAt))) throw new RangeError('it is damaged');
  const end = headerAt + all.readUInt32LE(lengthAt);
  const header = headerSchema.parse(JSON.parse(all.toString('utf8', headerAt, end)));
  if (header.version !== version) throw new RangeError(`version ${header.version} wrote it`);
  const numbers = new Float64Array(Uint8Array.from(all.subarray(end)).buffer);
  let at = 0;
  const models = header.models.map(({ devices, ...model }) => ({
    ...model,
    devices: devices.map(([name, newestMs, count]) => {
      at += count;
      return { name, newestMs, numbers: numbers.subarray(at - count, at) };
    }),
  }));
  if (at !== numbers.length) throw new RangeError('its header is not of its numbers');
  return models;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
