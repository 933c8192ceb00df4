/** What the codec is compared with: the same readings as JSON, as most gateways send them. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { cellOf } from '@edgeward/shared/batch';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { type BlockId, decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire/block';

export interface Peer {
  readonly name: string;
  encode(batch: RecordBatch, seq: number): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

const epoch = '000000017-8f3a1c5de9024b76';
const idOf = (batch: RecordBatch, seq: number): BlockId => ({
  epoch,
  seq,
  oldestEpoch: epoch,
  atMs: batch.time.at(-1)! + 3,
});

/** A fresh codec for batches of one schema and model. */
export function blockPeer(batch: RecordBatch): Peer {
  const described = describe(batch.schema, batch.model);
  return {
    name: 'block',
    encode: (of, seq) => encodeBlock(idOf(of, seq), of),
    decode: bytes => decodeBlock(bytes, () => described),
  };
}

/** One object a reading: what a message a reading carries, without its topic. */
export const jsonReadings: Peer = {
  name: 'JSON a reading + gzip',
  encode: batch => gzipSync(JSON.stringify(readingsOf(batch))),
  decode: bytes => JSON.parse(gunzipSync(bytes).toString('utf8')) as unknown,
};

/** One object a row, its values by field name. */
export const jsonRows: Peer = {
  name: 'JSON a row + gzip',
  encode: batch => gzipSync(JSON.stringify(rowsOf(batch))),
  decode: bytes => JSON.parse(gunzipSync(bytes).toString('utf8')) as unknown,
};

function rowsOf(batch: RecordBatch) {
  const { schema, time, device, quality, score } = batch;
  return Array.from(time, (timeMs, i) => ({
    device: schema.devices[device[i]!],
    time: timeMs,
    quality: quality[i],
    ...(score && { score: score[i] }),
    values: Object.fromEntries(schema.fields.map(({ name }, f) => [name, cellOf(batch, f, i)])),
  }));
}

function readingsOf(batch: RecordBatch) {
  const { schema, time, device, quality, score } = batch;
  return schema.fields.flatMap(({ name }, f) =>
    Array.from(time, (timeMs, i) => ({
      device: schema.devices[device[i]!],
      channel: name,
      ts: timeMs,
      value: cellOf(batch, f, i),
      quality: quality[i],
      ...(score && { score: score[i] }),
    })),
  );
}
