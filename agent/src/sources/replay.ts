import type { RecordBatch, Schema, Source, SourcePosition } from '@edgeward/shared/contracts';
import { type CsvFile, inputError, openCsv, readPieces } from './csv-file.js';
import { defineSource, type SourceContext } from './define.js';
import { Handover } from './handover.js';
import { readCells } from './replay-cells.js';
import { type ReplayColumns, resolveColumns } from './replay-columns.js';
import { type ReplayConfig, replayConfig } from './replay-config.js';
import { Pace } from './replay-pace.js';
import {
  advance,
  checkUnchanged,
  nextPass,
  type ReplayPosition,
  readPosition,
  startOf,
} from './replay-position.js';
import { findRows, type Reject, ReplayDevices, type ReplayRows } from './replay-rows.js';

/** Rows of a CSV recording, at the pace they were recorded at. Continues after a restart where it was. */
export const replay = defineSource({
  type: 'replay',
  config: replayConfig,
  create: (config, context) => new Replay(config, context),
});

/** What is known once the file is open. */
interface Opened {
  readonly columns: ReplayColumns;
  readonly devices: ReplayDevices;
}

class Replay implements Source {
  readonly acknowledges = true;
  readonly #config: ReplayConfig;
  readonly #context: SourceContext;
  readonly #handover = new Handover();
  #position: ReplayPosition;
  #opened: Opened | undefined;

  constructor(config: ReplayConfig, context: SourceContext) {
    this.#config = config;
    this.#context = context;
    const position = readPosition(config.path, context.position);
    if (context.position && !position)
      context.log.info({ path: config.path }, 'another file: from its start');
    this.#position = position ?? startOf(config.path);
  }

  position(): SourcePosition {
    return { ...this.#position };
  }

  async *read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    yield* this.#handover.again();
    const { speed, loop } = this.#config;
    const pace = new Pace(speed === 'max' ? Number.POSITIVE_INFINITY : speed, this.#context.clock);
    while (!stop.aborted) {
      yield* this.#pass(pace, stop);
      if (stop.aborted || !loop) return;
      if (this.#position.firstMs === null) throw inputError(this.#config.path, 'has no row to repeat.');
      this.#position = nextPass(this.#position);
    }
  }

  /** From the position to the end of the file. */
  async *#pass(pace: Pace, stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    const file = await openCsv(this.#config.path, this.#config.delimiter.charCodeAt(0));
    let cut = await checkUnchanged(file, this.#position);
    const opened = this.#open(file);
    const from = Math.max(file.dataOffset, this.#position.offset);
    this.#position = { ...this.#position, header: file.headerCrc };
    for await (const piece of readPieces(file, from)) {
      const { timeFormat, device } = this.#config;
      const restOfLine = cut && piece.offset + piece.records.start[0]! === from;
      const rows = findRows(piece, { ...opened, timeFormat, device, cut: restOfLine });
      cut = false;
      yield* this.#batches(rows, opened, pace, stop);
      if (stop.aborted) return;
    }
  }

  #open(file: CsvFile): Opened {
    if (!this.#opened) {
      const columns = resolveColumns(this.#config, file);
      this.#opened = { columns, devices: new ReplayDevices(this.#config.deviceType, columns.fields) };
    }
    return this.#opened;
  }

  async *#batches(
    rows: ReplayRows,
    opened: Opened,
    pace: Pace,
    stop: AbortSignal,
  ): AsyncGenerator<RecordBatch, void, void> {
    const { batchRows, lingerMs } = this.#config;
    const { shiftMs } = this.#position;
    const due = pace.due(rows.time.map(time => time + shiftMs));
    for (let from = 0; from < rows.count; ) {
      const full = Math.min(from + batchRows, rows.count);
      await pace.until(Math.min(due[full - 1]!, due[from]! + lingerMs), stop);
      const through = this.#dueBefore(due, from, full);
      if (through === from) return;
      const live = this.#config.time === 'now';
      const times = live ? pace.stamp(due.subarray(from, through)) : rows.time.slice(from, through);
      if (!live && shiftMs !== 0) for (let i = 0; i < times.length; i++) times[i]! += shiftMs;
      const batch = this.#batch(rows, from, through, opened, times);
      this.#moveTo(rows, from, through);
      yield* this.#handover.hand(batch);
      if (stop.aborted) return;
      from = through;
    }
    this.#moveTo(rows, rows.count, rows.count);
  }

  #dueBefore(due: Float64Array, from: number, full: number): number {
    const now = this.#context.clock.monotonic();
    let through = from;
    while (through < full && due[through]! <= now) through += 1;
    return through;
  }

  #batch(
    rows: ReplayRows,
    from: number,
    through: number,
    { columns, devices }: Opened,
    time: Float64Array,
  ): RecordBatch {
    const { schema } = devices;
    const device = rows.device.slice(from, through);
    const cells = readCells(rows, from, through, columns);
    return {
      schema,
      time,
      device,
      row: this.#numbers(schema, device),
      values: cells.values,
      quality: cells.quality,
      ...(cells.missing.some(Boolean) && { missing: cells.missing, fieldQuality: cells.fieldQuality }),
    };
  }

  #numbers({ devices }: Schema, device: Uint16Array): Float64Array {
    const row = new Float64Array(device.length);
    for (let i = 0; i < row.length; i++) row[i] = this.#context.rows.next(devices[device[i]!]!);
    return row;
  }

  /** The position after these rows, and what was rejected before the last of them. */
  #moveTo(rows: ReplayRows, from: number, through: number): void {
    const { bytes, offset, records } = rows.piece;
    const before = from === 0 ? -1 : rows.record[from - 1]!;
    const last = from === rows.count ? records.count - 1 : rows.record[through - 1]!;
    if (last <= before) return;
    const rejects = rows.rejects.filter(({ record }) => record > before && record < last + 1);
    const record = bytes.subarray(Math.max(0, records.start[last]!), records.end[last]);
    const step = {
      offset: offset + records.end[last]!,
      rows: last - before,
      times: rows.time.subarray(from, through),
      record,
    };
    this.#position = advance(this.#position, step);
    this.#reject(rejects);
  }

  #reject(rejects: readonly Reject[]): void {
    const counts = new Map<string, { first: Reject; count: number }>();
    for (const reject of rejects) {
      const key = `${reject.device} ${reject.reason}`;
      const found = counts.get(key) ?? { first: reject, count: 0 };
      found.count += 1;
      counts.set(key, found);
    }
    for (const { first, count } of counts.values()) this.#context.reject(first.device, count, first.reason);
  }
}
