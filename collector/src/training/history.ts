/**
 * The rows of one device type out of the journal's blocks, never more than fit. Rows are held in stretches of
 * neighbours, so that means and changes over rows stay what they were. Each time there would be too many, every second
 * stretch goes, of each device another one: what is left lies evenly over time and devices, and blocks of which
 * nothing is kept are not even decoded.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { Field, RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import { type Described, decodeBlock, namedRows, readHeader } from '@edgeward/shared/wire';
import type { StoredBytes } from './request.js';

/** What is known of a row by itself. */
export const Mark = { fine: 0, alarm: 1, quality: 2 } as const;

/** Rows of a stretch: many times those that a device's means take to settle after a break. */
export const stretchRows = 2000;
/** A model needs memory by values, not by rows. */
const fieldsOfFullRows = 16;
/** Their indices travel as 16 bits. */
const maxDevices = 65_536;
/** A gateway whose clock was never set. */
const earliestMs = Date.UTC(2000, 0, 1);
/** A gateway that lives in another time zone is wrong by less. */
const latestAheadMs = 24 * 3_600_000;
const wrongTime = Quality.timeBackwards | Quality.timeUnsure;
/** A value that is only missing is none that is wrong: models are used to it. */
const wrongValue = Quality.invalid | Quality.outOfRange | Quality.rateOfChange | Quality.stuck;

interface DeviceHistory {
  readonly key: string;
  /** Makes devices keep different stretches. */
  readonly ordinal: number;
  rows: number;
  readonly stretches: Map<number, Stretch>;
}

export interface HistoryOptions {
  readonly type: string;
  readonly maxRows: number;
  /** Older rows are left out, uncounted. */
  readonly sinceMs: number;
}

export class History {
  /** Rows left out since their time is impossible or unsure. */
  wrongTimes = 0;
  /** Blocks that could not be read. */
  damaged = 0;
  /** Of every so many stretches one is kept. */
  stride = 1;
  #kept = 0;
  /** Lists of fields that kept blocks had, the newest last. */
  readonly #layouts = new Map<string, readonly string[]>();
  readonly #devices = new Map<string, DeviceHistory>();

  constructor(private readonly options: HistoryOptions) {}

  get rows(): number {
    return this.#kept;
  }

  /** In the journal's order. */
  take({ gateway, ingestedMs, bytes }: StoredBytes, described: Described): void {
    try {
      const devices = namedRows(readHeader(bytes).devices, described);
      const wanted = devices.some(({ device, count }) => this.#wants(`${gateway}/${device}`, count));
      const batch = wanted ? decodeBlock(bytes, () => described).batch : undefined;
      if (batch) this.#add(gateway, batch, ingestedMs);
      else for (const { device, count } of devices) this.#device(`${gateway}/${device}`).rows += count;
    } catch {
      this.damaged += 1;
    }
  }

  /**
   * All that is kept, in order of time; it is given away. Fields are those that most rows have, of equals the newest;
   * what other rows do not have of them is missing (NaN) there.
   * @returns the rows, what is known of each by itself, and the names of the fields that are left out
   */
  finish(): { batch: RecordBatch; marks: Uint8Array; fieldsLeftOut: string[] } {
    const { names, fieldsLeftOut } = this.#commonFields();
    const kept = [...this.#devices.values()].filter(({ stretches }) => stretches.size > 0);
    const devices = kept.slice(0, maxDevices);
    const parts = devices.flatMap(({ stretches }, d) => [...stretches.values()].map(part => ({ d, part })));
    const n = parts.reduce((sum, { part }) => sum + part.rows, 0);
    const time = new Float64Array(n);
    const device = new Uint16Array(n);
    const marks = new Uint8Array(n);
    const values = names.map(() => new Float64Array(n).fill(Number.NaN));
    let at = 0;
    for (const { d, part } of parts) {
      time.set(part.time.subarray(0, part.rows), at);
      marks.set(part.marks.subarray(0, part.rows), at);
      device.fill(d, at, at + part.rows);
      for (const [f, name] of names.entries()) {
        const column = part.columns.get(name);
        if (column) values[f]!.set(column.subarray(0, part.rows), at);
      }
      at += part.rows;
      part.columns.clear();
    }
    this.#devices.clear();
    const order = Int32Array.from(time.keys()).sort((a, b) => time[a]! - time[b]! || a - b);
    const fields: Field[] = names.map(name => ({ name, kind: 'float' }));
    const sorted = (column: Float64Array) => Float64Array.from(order, r => column[r]!);
    const batch = {
      schema: { type: this.options.type, fields, devices: devices.map(({ key }) => key) },
      time: sorted(time),
      device: Uint16Array.from(order, r => device[r]!),
      row: Float64Array.from(order, (_, i) => i + 1),
      values: values.map(sorted),
      quality: new Uint16Array(n),
    };
    return { batch, marks: Uint8Array.from(order, r => marks[r]!), fieldsLeftOut };
  }

  /** One block of a gateway that reads less, or more, does not decide for all. */
  #commonFields(): { names: readonly string[]; fieldsLeftOut: string[] } {
    const rows = new Map<string, number>();
    for (const { stretches } of this.#devices.values())
      for (const stretch of stretches.values())
        for (const [layout, count] of stretch.layouts) rows.set(layout, (rows.get(layout) ?? 0) + count);
    const newestFirst = [...this.#layouts].reverse().filter(([layout]) => rows.has(layout));
    const [most] = [...newestFirst].sort(([one], [other]) => rows.get(other)! - rows.get(one)!);
    const names = most?.[1] ?? [];
    const all = new Set(newestFirst.flatMap(([, own]) => own));
    return { names, fieldsLeftOut: [...all].filter(name => !names.includes(name)) };
  }

  /** Whether something of its next rows is kept. */
  #wants(key: string, count: number): boolean {
    const device = this.#device(key);
    const [first, last] = [device.rows, device.rows + count - 1].map(row => Math.floor(row / stretchRows));
    for (let s = first!; s <= last!; s++) if (this.#keeps(device, s)) return true;
    return false;
  }

  #keeps({ ordinal }: DeviceHistory, stretch: number): boolean {
    return (stretch + ordinal) % this.stride === 0;
  }

  #add(gateway: string, batch: RecordBatch, ingestedMs: number): void {
    const devices = batch.schema.devices.map(name => `${gateway}/${name}`);
    const columns = columnsOf(batch);
    const layout = this.#layoutOf(columns);
    const fresh = () => new Stretch();
    for (let r = 0; r < batch.time.length; r++) {
      const device = this.#device(devices[batch.device[r]!]!);
      const stretch = Math.floor(device.rows / stretchRows);
      device.rows += 1;
      if (!this.#keeps(device, stretch)) continue;
      const timeMs = batch.time[r]!;
      if (timeMs < this.options.sinceMs) continue;
      if (!isPossible(timeMs, ingestedMs) || (batch.quality[r]! & wrongTime) !== 0) {
        this.wrongTimes += 1;
        continue;
      }
      getOrMake(device.stretches, stretch, fresh).push(timeMs, markOf(batch, r), columns, r, layout);
      this.#kept += 1;
    }
    const most = this.options.maxRows * Math.min(1, fieldsOfFullRows / Math.max(1, columns.length));
    while (this.#kept > most && this.#kept > stretchRows) this.#thin();
  }

  #layoutOf(columns: readonly NumericColumn[]): string {
    const names = columns.map(({ name }) => name);
    const layout = JSON.stringify(names);
    this.#layouts.delete(layout);
    this.#layouts.set(layout, names);
    return layout;
  }

  #thin(): void {
    this.stride *= 2;
    for (const device of this.#devices.values())
      for (const [s, { rows }] of device.stretches)
        if (!this.#keeps(device, s)) {
          device.stretches.delete(s);
          this.#kept -= rows;
        }
  }

  #device(key: string): DeviceHistory {
    let device = this.#devices.get(key);
    if (!device) {
      device = { key, ordinal: this.#devices.size, rows: 0, stretches: new Map() };
      this.#devices.set(key, device);
    }
    return device;
  }
}

interface NumericColumn {
  readonly name: string;
  at(row: number): number;
}

/** What is missing is NaN. */
function columnsOf(batch: RecordBatch): NumericColumn[] {
  return batch.schema.fields.flatMap(({ name, kind }, f) => {
    if (kind === 'string') return [];
    const [column, missing] = [batch.values[f]!, batch.missing?.[f]];
    return [{ name, at: (row: number) => (hasBit(missing, row) ? Number.NaN : Number(column[row])) }];
  });
}

function isPossible(timeMs: number, ingestedMs: number): boolean {
  return timeMs >= earliestMs && timeMs <= ingestedMs + latestAheadMs;
}

function markOf({ anomaly, quality, fieldQuality }: RecordBatch, r: number): number {
  if (anomaly?.[r] === 1) return Mark.alarm;
  let bits = quality[r]!;
  if (fieldQuality) for (const field of fieldQuality) bits |= field?.[r] ?? 0;
  return (bits & wrongValue) === 0 ? Mark.fine : Mark.quality;
}

/** Neighbouring rows of one device, in room that grows with them: of many devices most have few. */
class Stretch {
  rows = 0;
  time = new Float64Array(64);
  marks = new Uint8Array(64);
  /** By name of the field; NaN where a row has none. */
  readonly columns = new Map<string, Float64Array>();
  /** Rows by the fields that they have. */
  readonly layouts = new Map<string, number>();

  push(timeMs: number, mark: number, columns: readonly NumericColumn[], row: number, layout: string): void {
    this.layouts.set(layout, (this.layouts.get(layout) ?? 0) + 1);
    if (this.rows === this.time.length) this.#grow();
    this.time[this.rows] = timeMs;
    this.marks[this.rows] = mark;
    for (const { name, at } of columns) {
      let column = this.columns.get(name);
      if (!column) {
        column = new Float64Array(this.time.length).fill(Number.NaN);
        this.columns.set(name, column);
      }
      column[this.rows] = at(row);
    }
    this.rows += 1;
  }

  #grow(): void {
    const size = Math.min(stretchRows, this.time.length * 2);
    this.time = grown(this.time, new Float64Array(size));
    this.marks = grown(this.marks, new Uint8Array(size));
    for (const [name, column] of this.columns)
      this.columns.set(name, grown(column, new Float64Array(size).fill(Number.NaN)));
  }
}

function grown<Column extends Float64Array | Uint8Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
