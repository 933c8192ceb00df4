import { promisify } from 'node:util';
import { constants, gunzipSync, gzip } from 'node:zlib';
import { EdgewardError } from '@edgeward/shared/errors';
import type { BatchWriter, ProducerIdentity } from './record-batch.js';

export const compressions = ['none', 'gzip'] as const;
export type Compression = (typeof compressions)[number];

/** The batch as it is sent. What it needs of the writer it has read when it returns. */
export type Compress = (
  batch: BatchWriter,
  identity: ProducerIdentity,
  sequence: number,
) => Buffer | Promise<Buffer>;

const gzipCodec = 1;
const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const zip = promisify(gzip);

export function compressorOf(compression: Compression): Compress {
  return compression === 'gzip' ? gzipped : (batch, identity, sequence) => batch.seal(identity, sequence);
}

/** In zlib's own threads. */
async function gzipped(batch: BatchWriter, identity: ProducerIdentity, sequence: number): Promise<Buffer> {
  const seal = batch.sealer(identity, sequence);
  const records = await zip(Buffer.from(batch.records), { level: constants.Z_BEST_SPEED });
  return seal({ codec: gzipCodec, records });
}

/** @throws EW_SINK_STATE for a codec that is not ours: somebody else has written to the topic */
export function decompress(codec: number, records: Buffer): Buffer {
  if (codec === gzipCodec) return gunzipSync(records);
  const name = codecNames[codec] ?? `codec ${codec}`;
  throw new EdgewardError(
    'EW_SINK_STATE',
    `The topic has records compressed with ${name}, which cannot be read here. ` +
      'Remedy: set compression.type of the topic to producer, uncompressed or gzip.',
  );
}
