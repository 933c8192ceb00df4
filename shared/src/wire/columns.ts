/** All columns of a batch, in the order they have on the wire. */
import type { Column, Field, RecordBatch, Schema } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readBytes, writeBytes } from './byte-columns.js';
import { readEvidence, writeEvidence } from './evidence.js';
import { type Layout, readFloats, writeFloats } from './floats.js';
import type { BlockHeader, BlockRows } from './header.js';
import { readMarks, writeMarks } from './marks.js';
import { readRowNumbers, writeRowNumbers } from './row-numbers.js';
import { layoutOf, readPlaces, writePlaces } from './row-order.js';
import { readTexts, writeTexts } from './texts.js';
import { readTimes, writeTimes } from './times.js';
import { readInts, writeInts } from './whole-columns.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** One piece for all columns of eight bytes a value: to ask for each by itself takes longer than to fill it. */
class Memory {
  readonly #rows: number;
  readonly #buffer: ArrayBuffer;
  #used = 0;

  constructor(rows: number, { fields }: Schema) {
    const wide = fields.reduce((sum, { kind }) => sum + (kind === 'float' || kind === 'int' ? 1 : 0), 0);
    this.#rows = rows;
    this.#buffer = new ArrayBuffer(8 * rows * (2 + wide));
  }

  floats(): Float64Array {
    return new Float64Array(this.#buffer, this.#take(), this.#rows);
  }

  ints(): BigInt64Array {
    return new BigInt64Array(this.#buffer, this.#take(), this.#rows);
  }

  #take(): number {
    const at = this.#used;
    this.#used += 8 * this.#rows;
    return at;
  }
}

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
export function readColumns(from: BitReader, header: BlockHeader, schema: Schema): RecordBatch {
  const { devices, rows, atMs } = header;
  readPlaces(from, devices, rows);
  const device = new Uint16Array(rows);
  const layout = layoutOf(devices, rows);
  fillDevices(device, header, layout);
  const memory = new Memory(rows, schema);
  const row = memory.floats();
  readRowNumbers(from, row, devices, layout);
  const time = memory.floats();
  readTimes(from, time, layout, atMs);
  const values = schema.fields.map(({ kind }) => readValues(from, kind, layout, memory));
  const marks = readMarks(from, schema.fields.length, layout);
  const score = from.flag() ? new Float32Array(rows) : undefined;
  if (score) readFloats(from, score, layout, 0);
  const anomaly = from.flag() ? readBytes(from, layout) : undefined;
  const evidence = from.flag() ? readEvidence(from, rows) : undefined;
  from.finish();
  const batch: Mutable<RecordBatch> = { schema, time, device, row, values, quality: marks.quality };
  if (marks.missing) batch.missing = marks.missing;
  if (marks.fieldQuality) batch.fieldQuality = marks.fieldQuality;
  if (score) batch.score = score;
  if (anomaly) batch.anomaly = anomaly;
  if (evidence) batch.evidence = evidence;
  return batch;
}

function fillDevices(device: Uint16Array, { devices }: BlockHeader, { order, groups }: Layout): void {
  for (const [place, { index, count }] of devices.entries()) {
    const start = groups.starts[place]!;
    if (!order) device.fill(index, start, start + count);
    else for (let i = start; i < start + count; i++) device[order[i]!] = index;
  }
}

function readValues(from: BitReader, kind: Field['kind'], layout: Layout, memory: Memory): Column {
  switch (kind) {
    case 'float': {
      const column = memory.floats();
      readFloats(from, column, layout, 0);
      return column;
    }
    case 'int': {
      const column = memory.ints();
      readInts(from, column, layout);
      return column;
    }
    case 'bool':
      return readBytes(from, layout);
    case 'string':
      return readTexts(from, layout);
  }
}
