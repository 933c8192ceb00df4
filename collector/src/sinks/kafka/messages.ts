/** What the sink writes: rows, flagged rows with their evidence, notes. Schemas: deploy/schemas. */
import type { Delivery, Evidence, Note } from '@edgeward/shared/contracts';
import { traceparent } from '@edgeward/shared/trace/context';
import type { Bytes } from '../bytes.js';
import { JsonRows } from '../json-rows.js';
import { encodeHeaders } from './record-batch.js';

/** Ids of the schemas, as in their `$id` and in the header `schema`. */
export const schemaIds = {
  reading: 'edgeward.reading.v1',
  anomaly: 'edgeward.anomaly.v1',
  note: 'edgeward.note.v1',
} as const;

/** Writes the rows of one delivery. */
export interface RowEncoder {
  /** Of `reading` messages. */
  readonly headers: Buffer;
  /** Of `anomaly` messages. */
  readonly anomalyHeaders: Buffer;
  /** Row i into the `text` it was made with, which is emptied first. */
  reading(i: number): void;
  /** The same row, which `reading` has just written, with its evidence. */
  anomaly(i: number, out: Bytes): void;
}

/** One place for each `format`. */
export type RowEncoding = (text: Bytes, delivery: Delivery) => RowEncoder;

const closing = Buffer.from('}');

export const jsonRows: RowEncoding = (text, delivery) => new JsonEncoder(text, delivery);

class JsonEncoder implements RowEncoder {
  readonly #text: Bytes;
  readonly #delivery: Delivery;
  readonly #rows: JsonRows;
  readonly headers: Buffer;
  #anomalyHeaders: Buffer | undefined;
  #evidence: ReadonlyMap<number, object[]> | undefined;

  constructor(text: Bytes, delivery: Delivery) {
    this.#text = text;
    this.#delivery = delivery;
    this.#rows = new JsonRows(text, delivery);
    this.headers = headersOf(delivery, schemaIds.reading);
  }

  get anomalyHeaders(): Buffer {
    this.#anomalyHeaders ??= headersOf(this.#delivery, schemaIds.anomaly);
    return this.#anomalyHeaders;
  }

  reading(i: number): void {
    this.#text.length = 0;
    this.#rows.write(i);
    this.#text.bytes(closing);
  }

  anomaly(i: number, out: Bytes): void {
    this.#evidence ??= byRow(this.#delivery.batch.evidence ?? []);
    const { data, length } = this.#text;
    out.length = 0;
    out.bytes(data.subarray(0, length - closing.length));
    out.utf8(`,"evidence":${JSON.stringify(this.#evidence.get(i) ?? [])}}`);
  }
}

function byRow(evidence: readonly Evidence[]): Map<number, object[]> {
  const rows = new Map<number, object[]>();
  for (const { at, ...why } of evidence) rows.set(at, [...(rows.get(at) ?? []), why]);
  return rows;
}

function headersOf({ gateway, epoch, seq, batch, trace }: Delivery, schema: string): Buffer {
  return encodeHeaders({
    gateway,
    epoch,
    seq: String(seq),
    schema,
    type: batch.schema.type,
    ...(trace && { traceparent: traceparent(trace) }),
  });
}

export function encodeNote(note: Note): { key: string; value: Buffer; headers: Buffer } {
  const { gateway, device, feed, store, number, atMs, value } = note;
  const body = { gateway, ...(device !== undefined && { device }), time: atMs, feed, store, number, value };
  return {
    key: device === undefined ? gateway : `${gateway}/${device}`,
    value: Buffer.from(JSON.stringify(body)),
    headers: encodeHeaders({ gateway, schema: schemaIds.note }),
  };
}
