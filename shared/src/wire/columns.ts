/** All columns of a batch, in the order they have on the wire. */
import type { Column, Field, RecordBatch, Schema } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readBytes, writeBytes } from './byte-columns.js';
import { readEvidence, writeEvidence } from './evidence.js';
import { type Layout, readFloats, writeFloats } from './floats.js';
import type { BlockHeader } from './header.js';
import { readMarks, writeMarks } from './marks.js';
import { readRowNumbers, writeRowNumbers } from './row-numbers.js';
import { layoutOf, readPlaces, writePlaces } from './row-order.js';
import { readTexts, writeTexts } from './texts.js';
import { readTimes, writeTimes } from './times.js';
import { readInts, writeInts } from './whole-columns.js';

/** Needs `places` as `surveyRows` left them. */
export function writeColumns(out: BitWriter, header: BlockHeader, batch: RecordBatch): void {
  const { devices, rows, atMs } = header;
  const layout = layoutOf(devices, rows);
  writePlaces(out, rows, devices.length);
  writeRowNumbers(out, batch.row, devices, layout);
  writeTimes(out, batch.time, layout, atMs);
  for (const column of batch.values) writeValues(out, column, layout);
  writeMarks(out, batch, layout);
  out.flag(batch.score !== undefined);
  if (batch.score) writeFloats(out, batch.score, layout, 0);
  out.flag(batch.anomaly !== undefined);
  if (batch.anomaly) writeBytes(out, batch.anomaly, layout);
  const explained = (batch.evidence?.length ?? 0) > 0;
  out.flag(explained);
  if (explained) writeEvidence(out, batch);
}

function writeValues(out: BitWriter, column: Column, layout: Layout): void {
  if (column instanceof Float64Array) writeFloats(out, column, layout, 0);
  else if (column instanceof BigInt64Array) writeInts(out, column, layout);
  else if (column instanceof Uint8Array) writeBytes(out, column, layout);
  else writeTexts(out, column, layout);
}

/** @throws EW_BLOCK_CORRUPT */
export function readColumns(from: BitReader, header: BlockHeader, schema: Schema): RecordBatch {
  const { devices, rows, atMs } = header;
  readPlaces(from, devices, rows);
  const device = new Uint16Array(rows);
  const layout = layoutOf(devices, rows);
  fillDevices(device, header, layout);
  const row = new Float64Array(rows);
  readRowNumbers(from, row, devices, layout);
  const time = new Float64Array(rows);
  readTimes(from, time, layout, atMs);
  const values = schema.fields.map(({ kind }) => readValues(from, kind, layout));
  const marks = readMarks(from, schema.fields.length, layout);
  const score = from.flag() ? new Float32Array(rows) : undefined;
  if (score) readFloats(from, score, layout, 0);
  const anomaly = from.flag() ? readBytes(from, layout) : undefined;
  const evidence = from.flag() ? readEvidence(from, rows) : undefined;
  from.finish();
  return {
    ...{ schema, time, device, row, values, ...marks },
    ...(score && { score }),
    ...(anomaly && { anomaly }),
    ...(evidence && { evidence }),
  };
}

function fillDevices(device: Uint16Array, { devices }: BlockHeader, { order, groups }: Layout): void {
  for (const [place, { index, count }] of devices.entries()) {
    const start = groups.starts[place]!;
    if (!order) device.fill(index, start, start + count);
    else for (let i = start; i < start + count; i++) device[order[i]!] = index;
  }
}

function readValues(from: BitReader, kind: Field['kind'], layout: Layout): Column {
  switch (kind) {
    case 'float': {
      const column = new Float64Array(layout.n);
      readFloats(from, column, layout, 0);
      return column;
    }
    case 'int': {
      const column = new BigInt64Array(layout.n);
      readInts(from, column, layout);
      return column;
    }
    case 'bool':
      return readBytes(from, layout);
    case 'string':
      return readTexts(from, layout);
  }
}
