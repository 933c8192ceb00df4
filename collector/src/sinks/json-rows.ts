/**
 * Rows as JSON, straight into bytes. The conventions, for every sink that writes rows as JSON:
 * `time` is ms since Unix epoch, UTC, with a fraction where the device had one. Integers beyond ±(2^53 − 1) are
 * strings. JSON has no NaN and no infinity: they become null, and `quality` then names `invalid`. A missing field is
 * not in `values`. `score` is null for rows that no model judged.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { Column, Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { Quality, qualityReasons } from '@edgeward/shared/quality';
import type { Bytes } from './bytes.js';
import { noPlaces, writeNumber, writeWhole } from './json-numbers.js';

const asBytes = (text: string) => Buffer.from(text);
const openValues = asBytes(',"values":{');
const closeValues = asBytes('}');
const nothing = asBytes('null');
const [yes, no] = [asBytes('true'), asBytes('false')];
const [flagged, notFlagged] = [asBytes(',"anomaly":true'), asBytes(',"anomaly":false')];
const [late, notLate] = [asBytes(',"late":true'), asBytes(',"late":false')];
const score = asBytes(',"score":');
const noScore = asBytes(',"score":null');

/** Of a schema: `"field":` of each field, with a comma in front for all but the first that is written. */
interface Names {
  readonly first: readonly Buffer[];
  readonly next: readonly Buffer[];
  readonly quoted: readonly string[];
}

const known = new WeakMap<Schema, Names>();

function namesOf(schema: Schema): Names {
  let names = known.get(schema);
  if (!names) {
    const quoted = schema.fields.map(({ name }) => JSON.stringify(name));
    const first = quoted.map(name => asBytes(`${name}:`));
    names = { quoted, first, next: quoted.map(name => asBytes(`,${name}:`)) };
    known.set(schema, names);
  }
  return names;
}

/** What stands around the conventions' fields; each is JSON text of several members, or empty. */
export interface RowStyle {
  /** Between `device` and `time`. */
  readonly type?: boolean;
  /** `missing` names what is not in `values`. */
  readonly missing?: boolean;
  /** After `late`. */
  readonly model?: boolean;
}

/** Writes the rows of one delivery, each an object without its closing brace, so that members can be added. */
export class JsonRows {
  readonly #out: Bytes;
  readonly #batch: RecordBatch;
  readonly #names: Names;
  readonly #heads: readonly Buffer[];
  readonly #source: Buffer;
  readonly #tail: Buffer;
  readonly #places: Int8Array;
  readonly #style: RowStyle;
  /** Of the row that is being written. */
  #quality = 0;

  constructor(out: Bytes, delivery: Delivery, style: RowStyle = {}) {
    const { batch, epoch, seq } = delivery;
    this.#out = out;
    this.#batch = batch;
    this.#style = style;
    this.#names = namesOf(batch.schema);
    this.#heads = headsOf(delivery, style);
    this.#source = asBytes(`,"epoch":${JSON.stringify(epoch)},"seq":${seq},"row":`);
    const model = style.model ? asBytes(`,"model":${JSON.stringify(batch.model ?? null)}`) : Buffer.alloc(0);
    this.#tail = Buffer.concat([delivery.late ? late : notLate, model]);
    this.#places = new Int8Array(batch.values.length).fill(1);
  }

  /** Row i, but for its closing brace. */
  write(i: number): void {
    const [out, batch] = [this.#out, this.#batch];
    out.bytes(this.#heads[batch.device[i]!]!);
    writeTime(out, batch.time[i]!);
    out.bytes(this.#source);
    writeWhole(out, batch.row[i]!);
    out.bytes(openValues);
    this.#quality = batch.quality[i]!;
    const missing = this.#values(i);
    out.bytes(closeValues);
    if (missing !== '' && this.#style.missing) out.utf8(`,"missing":[${missing}]`);
    out.bytes(qualityBytes(this.#quality));
    this.#judgement(i);
    out.bytes(this.#tail);
  }

  /** @returns the quoted names of those that are missing */
  #values(i: number): string {
    const { values, missing } = this.#batch;
    const { first, next, quoted } = this.#names;
    let names = first;
    let absent = '';
    for (let f = 0; f < values.length; f++) {
      const bits = missing?.[f];
      if (bits !== undefined && hasBit(bits, i)) {
        absent += absent === '' ? quoted[f] : `,${quoted[f]}`;
        continue;
      }
      this.#out.bytes(names[f]!);
      this.#value(values[f]!, f, i);
      names = next;
    }
    return absent;
  }

  #value(column: Column, f: number, i: number): void {
    const out = this.#out;
    if (column instanceof Float64Array) {
      const value = column[i]!;
      if (Number.isFinite(value)) this.#places[f] = writeNumber(out, value, this.#places[f]!);
      else {
        out.bytes(nothing);
        this.#quality |= Quality.invalid;
      }
    } else if (column instanceof BigInt64Array) writeInteger(out, column[i]!);
    else if (column instanceof Uint8Array) out.bytes(column[i] === 1 ? yes : no);
    else out.utf8(JSON.stringify(column[i]));
  }

  #judgement(i: number): void {
    const { score: scores, anomaly } = this.#batch;
    const value = scores === undefined ? Number.NaN : scores[i]!;
    if (Number.isNaN(value)) this.#out.bytes(noScore);
    else {
      this.#out.bytes(score);
      // A float32 has about 7 digits; what float64 shows beyond them is noise.
      writeNumber(this.#out, Math.round(value * 1e6) / 1e6, 6);
    }
    this.#out.bytes(anomaly?.[i] === 1 ? flagged : notFlagged);
  }
}

function headsOf({ gateway, batch }: Delivery, { type }: RowStyle): Buffer[] {
  const kind = type ? `,"type":${JSON.stringify(batch.schema.type)}` : '';
  const owner = `{"gateway":${JSON.stringify(gateway)},"device":`;
  return batch.schema.devices.map(device => asBytes(`${owner}${JSON.stringify(device)}${kind},"time":`));
}

function writeTime(out: Bytes, time: number): void {
  if (time >= 0 && time === Math.trunc(time) && time < Number.MAX_SAFE_INTEGER) writeWhole(out, time);
  else if (Number.isFinite(time)) writeNumber(out, time, noPlaces);
  else out.bytes(nothing);
}

function writeInteger(out: Bytes, value: bigint): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) {
    if (number < 0) out.byte(0x2d);
    writeWhole(out, Math.abs(number));
  } else out.ascii(`"${value}"`);
}

const qualities = new Map<number, Buffer>();

function qualityBytes(bits: number): Buffer {
  let bytes = qualities.get(bits);
  if (!bytes) {
    bytes = asBytes(`,"quality":${JSON.stringify(qualityReasons(bits))}`);
    qualities.set(bits, bytes);
  }
  return bytes;
}
