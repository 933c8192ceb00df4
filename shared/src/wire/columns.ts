/** All columns of a batch, in the order they have on the wire. */
import type { Column, Field, RecordBatch } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readBitmap, readBytes, readFlags, writeBytes } from './byte-columns.js';
import type { Described } from './described.js';
import { readEvidence, writeEvidence } from './evidence.js';
import { type Layout, readFloats, writeFloats } from './floats.js';
import type { BlockHeader, BlockRows } from './header.js';
import { readOptional, writeMarks } from './marks.js';
import { type ColumnMemory, memoryFor } from './memory.js';
import { readRowNumbers, writeRowNumbers } from './row-numbers.js';
import { type BlockDevice, layoutOf, readPlaces, writePlaces } from './row-order.js';
import { readTexts, writeTexts } from './texts.js';
import { readTimes, writeTimes } from './times.js';
import { readInts, writeInts } from './whole-columns.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Needs `places` as `surveyRows` left them. */
export function writeColumns(
  out: BitWriter,
  { devices, rows }: BlockRows,
  atMs: number,
  batch: RecordBatch,
): void {
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
export function readColumns(from: BitReader, header: BlockHeader, { schema, model }: Described): RecordBatch {
  const { devices, rows, atMs } = header;
  const { fields } = schema;
  readPlaces(from, devices, rows);
  const layout = layoutOf(devices, rows);
  const memory = memoryFor(rows, fields);
  const row = memory.float64s(rows);
  readRowNumbers(from, row, devices, layout);
  const time = memory.float64s(rows);
  readTimes(from, time, layout, atMs);
  const values: Column[] = [];
  for (let f = 0; f < fields.length; f++) values.push(readValues(from, fields[f]!.kind, layout, memory));
  const device = memory.uint16s(rows);
  fillDevices(device, devices, layout);
  const quality = memory.uint16s(rows);
  readBytes(from, quality, layout);
  const batch: Mutable<RecordBatch> = { schema, time, device, row, values, quality };
  if (model !== undefined) batch.model = model;
  if (from.flag()) batch.missing = readOptional(from, fields.length, readBitmap, layout, memory);
  if (from.flag()) batch.fieldQuality = readOptional(from, fields.length, readFlags, layout, memory);
  if (from.flag()) batch.score = readScores(from, layout, memory);
  if (from.flag()) batch.anomaly = readFlags(from, layout, memory);
  if (from.flag()) batch.evidence = readEvidence(from, rows);
  from.finish();
  return batch;
}

function fillDevices(
  column: Uint16Array,
  devices: readonly BlockDevice[],
  { order, groups: { starts } }: Layout,
): void {
  for (let place = 0; place < devices.length; place++) {
    const { index } = devices[place]!;
    const end = starts[place + 1]!;
    for (let i = starts[place]!; i < end; i++) column[order ? order[i]! : i] = index;
  }
}

function readValues(from: BitReader, kind: Field['kind'], layout: Layout, memory: ColumnMemory): Column {
  switch (kind) {
    case 'float': {
      const column = memory.float64s(layout.n);
      readFloats(from, column, layout, 0);
      return column;
    }
    case 'int': {
      const column = memory.int64s(layout.n);
      readInts(from, column, layout);
      return column;
    }
    case 'bool':
      return readFlags(from, layout, memory);
    case 'string':
      return readTexts(from, layout);
  }
}

function readScores(from: BitReader, layout: Layout, memory: ColumnMemory): Float32Array {
  const column = memory.float32s(layout.n);
  readFloats(from, column, layout, 0);
  return column;
}
