/** What the sink writes: rows, flagged rows with their evidence, notes. Schemas: deploy/schemas. */
import type { Delivery, Evidence, Note } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { traceparent } from '@edgeward/shared/trace/context';
import type { Bytes } from '../bytes.js';
import { JsonRows } from '../json-rows.js';
import { encodeHeaders, type ValueWriter } from './record-batch.js';

/** Ids of the schemas, as in their `$id` and in the header `schema`. */
export const schemaIds = {
  reading: 'edgeward.reading.v1',
  anomaly: 'edgeward.anomaly.v1',
  note: 'edgeward.note.v1',
} as const;

/** Writes the rows of one delivery, each behind what is there. */
export interface RowEncoder extends ValueWriter {
  /** Of rows. */
  readonly headers: Buffer;
  /** Of flagged rows. */
  readonly anomalyHeaders: Buffer;
  write(i: number, out: Bytes): void;
  /** With the evidence. */
  anomaly(i: number, out: Bytes): void;
}

/** One place for each `format`. */
export type RowEncoding = (delivery: Delivery) => RowEncoder;

const closingBrace = 0x7d;

export const jsonRows: RowEncoding = delivery => new JsonEncoder(delivery);

class JsonEncoder implements RowEncoder {
  readonly #delivery: Delivery;
  readonly #rows: JsonRows;
  readonly headers: Buffer;
  #anomalyHeaders: Buffer | undefined;
  #evidence: ReadonlyMap<number, object[]> | undefined;

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
    this.#rows = new JsonRows(delivery);
    this.headers = headersOf(delivery, schemaIds.reading);
  }

  get anomalyHeaders(): Buffer {
    this.#anomalyHeaders ??= headersOf(this.#delivery, schemaIds.anomaly);
    return this.#anomalyHeaders;
  }

  write(i: number, out: Bytes): void {
    this.#rows.write(i, out);
    out.byte(closingBrace);
  }

  anomaly(i: number, out: Bytes): void {
    this.#evidence ??= byRow(this.#delivery.batch.evidence ?? []);
    this.#rows.write(i, out);
    out.utf8(`,"evidence":${JSON.stringify(this.#evidence.get(i) ?? [])}}`);
  }
}

function byRow(evidence: readonly Evidence[]): Map<number, object[]> {
  const rows = new Map<number, object[]>();
  for (const { at, ...why } of evidence) rows.set(at, [...(rows.get(at) ?? []), why]);
  return rows;
}

/** Of one gateway's blocks, all but the number of the block. */
const beginnings = new Map<string, Buffer>();
/** More gateways at once only cost what they cost without it. */
const maxBeginnings = 20_000;

function headersOf({ gateway, epoch, seq, batch, trace }: Delivery, schema: string): Buffer {
  const { type } = batch.schema;
  const key = `${gateway}/${epoch}/${schema}/${type}/${trace !== undefined}`;
  if (beginnings.size > maxBeginnings) beginnings.clear();
  const first = getOrMake(beginnings, key, () =>
    encodeHeaders({ gateway, epoch, schema, type }, { more: trace ? 2 : 1 }),
  );
  const own = { seq: String(seq), ...(trace && { traceparent: traceparent(trace) }) };
  return Buffer.concat([first, encodeHeaders(own, { counted: false })]);
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
