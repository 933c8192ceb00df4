/**
 * Rows as JSON, straight into bytes. The conventions, for every sink that writes rows as JSON:
 * `time` is ms since Unix epoch, UTC, with a fraction where the device had one. Integers beyond ±(2^53 − 1) are
 * strings. JSON has no NaN and no infinity: they become null, and `quality` then names `invalid`. A missing field is
 * not in `values`. `score` is null for rows that no model judged.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { Column, Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality, qualityReasons } from '@edgeward/shared/quality';
import { type Bytes, Stamp } from './bytes.js';
import { longestNumber, noPlaces, numberAt, placesOf, textAt, wholeAt } from './json-numbers.js';

const row = new Stamp(',"row":');
const openValues = new Stamp(',"values":{');
const nothing = new Stamp('null');
const [yes, no] = [new Stamp('true'), new Stamp('false')];
const [flagged, notFlagged] = [new Stamp(',"anomaly":true'), new Stamp(',"anomaly":false')];
const score = new Stamp(',"score":');
const noScore = new Stamp(',"score":null');
const closingBrace = 0x7d;
/** What numbers and fixed words of a row take beside its values, at most. */
const overhead = 400;

/** Of a schema: `"field":` of each field, with a comma in front for all but the first that is written. */
interface Names {
  readonly first: readonly Stamp[];
  readonly next: readonly Stamp[];
  readonly quoted: readonly string[];
  /** All of them together. */
  readonly bytes: number;
}

const known = new WeakMap<Schema, Names>();

function namesOf(schema: Schema): Names {
  let names = known.get(schema);
  if (!names) {
    const quoted = schema.fields.map(({ name }) => JSON.stringify(name));
    const next = quoted.map(name => new Stamp(`,${name}:`));
    const bytes = next.reduce((sum, { length }) => sum + length, 0);
    names = { quoted, first: quoted.map(name => new Stamp(`${name}:`)), next, bytes };
    known.set(schema, names);
  }
  return names;
}

/** What a format has beside the members that all have. */
export interface RowStyle {
  /** Device type, after `device`. */
  readonly type?: boolean;
  /** `missing` names what is not in `values`. */
  readonly missing?: boolean;
  /** After `late`. */
  readonly model?: boolean;
}

/** Writes the rows of one delivery, each an object without its closing brace, so that members can be added. */
export class JsonRows {
  readonly #batch: RecordBatch;
  readonly #names: Names;
  readonly #heads: readonly Stamp[];
  readonly #seq: number;
  readonly #epoch: Stamp;
  readonly #tail: Stamp;
  /** Of each column of numbers. */
  readonly #places: Int8Array;
  readonly #style: RowStyle;
  /** Bytes that a row takes at most, but for texts in it. */
  readonly #most: number;
  /** Of the row that is being written. */
  #quality = 0;
  #missing = '';

  constructor(delivery: Delivery, style: RowStyle = {}) {
    const { batch, epoch, seq } = delivery;
    this.#batch = batch;
    this.#style = style;
    this.#names = namesOf(batch.schema);
    this.#heads = headsOf(delivery, style);
    this.#seq = seq;
    this.#epoch = stampOf(`,"epoch":${JSON.stringify(epoch)},"seq":`);
    const model = style.model ? `,"model":${JSON.stringify(batch.model ?? null)}` : '';
    this.#tail = stampOf(`,"late":${delivery.late}${model}`);
    this.#places = Int8Array.from(batch.values, column =>
      column instanceof Float64Array ? placesOf(column) : noPlaces,
    );
    const heads = this.#heads.reduce((most, { length }) => Math.max(most, length), 0);
    const values = this.#names.bytes + batch.values.length * longestNumber;
    this.#most = heads + this.#epoch.length + this.#tail.length + values + overhead;
  }

  /** Row i behind what is there, but for its closing brace. */
  write(i: number, out: Bytes): void {
    const batch = this.#batch;
    out.room(this.#most);
    const { data, view } = out;
    let at = this.#heads[batch.device[i]!]!.at(view, out.length);
    at = timeAt(out, at, batch.time[i]!);
    at = this.#epoch.at(view, at);
    at = wholeAt(data, at, this.#seq);
    at = row.at(view, at);
    at = wholeAt(data, at, batch.row[i]!);
    out.length = openValues.at(view, at);
    this.#quality = batch.quality[i]!;
    this.#values(i, out);
    this.#end(i, out);
  }

  #values(i: number, out: Bytes): void {
    const { values, missing } = this.#batch;
    const { first, next } = this.#names;
    let { data, view } = out;
    let at = out.length;
    let names = first;
    this.#missing = '';
    for (let f = 0; f < values.length; f++) {
      const bits = missing === undefined ? undefined : missing[f];
      if (bits !== undefined && hasBit(bits, i)) {
        this.#leaveOut(f);
        continue;
      }
      at = names[f]!.at(view, at);
      names = next;
      const column = values[f]!;
      if (column instanceof Float64Array) {
        const value = column[i]!;
        // NaN and infinities are not less than infinity in size.
        if (Math.abs(value) < Number.POSITIVE_INFINITY) at = numberAt(data, at, value, this.#places[f]!);
        else {
          at = nothing.at(view, at);
          this.#quality |= Quality.invalid;
        }
      } else {
        out.length = at;
        this.#other(column, i, out);
        ({ data, view } = out);
        at = out.length;
      }
    }
    data[at] = closingBrace;
    out.length = at + 1;
  }

  #leaveOut(f: number): void {
    const name = this.#names.quoted[f]!;
    this.#missing += this.#missing === '' ? name : `,${name}`;
  }

  #other(column: Exclude<Column, Float64Array>, i: number, out: Bytes): void {
    if (column instanceof BigInt64Array) out.length = integerAt(out.data, out.length, column[i]!);
    else if (column instanceof Uint8Array) out.length = (column[i] === 1 ? yes : no).at(out.view, out.length);
    else {
      out.utf8(JSON.stringify(column[i]));
      out.room(this.#most);
    }
  }

  #end(i: number, out: Bytes): void {
    if (this.#missing !== '' && this.#style.missing) out.utf8(`,"missing":[${this.#missing}]`);
    out.room(this.#most);
    const { score: scores, anomaly } = this.#batch;
    const { data, view } = out;
    let at = qualityBytes(this.#quality).at(view, out.length);
    const value = scores === undefined ? Number.NaN : scores[i]!;
    if (value >= 0) {
      at = score.at(view, at);
      // A float32 has about 7 digits; what float64 shows beyond them is noise.
      at = numberAt(data, at, Math.round(value * 1e6) / 1e6, 6);
    } else at = noScore.at(view, at);
    at = (anomaly?.[i] === 1 ? flagged : notFlagged).at(view, at);
    out.length = this.#tail.at(view, at);
  }
}

/** Of epochs and ends of rows, which are the same for many blocks. */
const stamps = new Map<string, Stamp>();
/** More gateways at once only cost what they cost without it. */
const maxStamps = 20_000;

function stampOf(text: string): Stamp {
  if (stamps.size > maxStamps) stamps.clear();
  return getOrMake(stamps, text, () => new Stamp(text));
}

/** Of the devices of a gateway: the beginnings of their rows. They are the same for all its blocks. */
const heads = new WeakMap<Schema, Map<string, readonly Stamp[]>>();
/** More gateways with one schema: as above. */
const maxOwners = 5000;

function headsOf({ gateway, batch: { schema } }: Delivery, { type }: RowStyle): readonly Stamp[] {
  const kind = type ? `,"type":${JSON.stringify(schema.type)}` : '';
  const owner = `{"gateway":${JSON.stringify(gateway)},"device":`;
  const of = owner + kind;
  let owners = heads.get(schema);
  if (!owners || owners.size > maxOwners) {
    owners = new Map();
    heads.set(schema, owners);
  }
  return getOrMake(owners, of, () =>
    schema.devices.map(device => new Stamp(`${owner}${JSON.stringify(device)}${kind},"time":`)),
  );
}

function timeAt({ data, view }: Bytes, at: number, time: number): number {
  if (time >= 0 && time <= Number.MAX_SAFE_INTEGER && time === Math.trunc(time))
    return wholeAt(data, at, time);
  return Number.isFinite(time) ? numberAt(data, at, time, noPlaces) : nothing.at(view, at);
}

function integerAt(data: Uint8Array, at: number, value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) return textAt(data, at, `"${value}"`);
  if (number >= 0) return wholeAt(data, at, number);
  data[at] = 0x2d;
  return wholeAt(data, at + 1, -number);
}

const qualities = new Map<number, Stamp>();

function qualityBytes(bits: number): Stamp {
  let bytes = qualities.get(bits);
  if (!bytes) {
    bytes = new Stamp(`,"quality":${JSON.stringify(qualityReasons(bits))}`);
    qualities.set(bits, bytes);
  }
  return bytes;
}
