/**
 * Rows as NDJSON, one object a line:
 *
 *   {"gateway","device","type","time","epoch","seq","row","values":{…},"missing"?:[…],"quality":[…],
 *    "score","anomaly","late","model"}
 *
 * `time` is ms since Unix epoch, UTC, with a fraction where the device had one. Integers beyond ±(2^53 − 1) are
 * strings. JSON has no NaN and no infinity: they become null, and `quality` then names `invalid`. A field in
 * `missing` is not in `values`. `score` and `model` are null for rows that no model judged.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { Column, Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { Quality, qualityReasons } from '@edgeward/shared/quality';

/** @returns one line for each row, each ended by a newline */
export function encodeRows(delivery: Delivery): string {
  const { batch } = delivery;
  const heads = rowHeads(delivery);
  const cells = batch.values.map(cellWriter);
  const names = batch.schema.fields.map(field => JSON.stringify(field.name));
  const tail = `,"late":${delivery.late},"model":${JSON.stringify(batch.model ?? null)}}\n`;
  const source = `,"epoch":${JSON.stringify(delivery.epoch)},"seq":${delivery.seq},"row":`;
  let text = '';
  for (let i = 0; i < batch.time.length; i++) {
    const values = encodeValues(batch, cells, names, i);
    text += `${heads[batch.device[i]!]}${numberText(batch.time[i]!)}${source}${batch.row[i]}`;
    text += `,"values":{${values.present}}${values.missing && `,"missing":[${values.missing}]`}`;
    text += `,"quality":${qualityText(batch.quality[i]! | values.quality)}${judgement(batch, i)}${tail}`;
  }
  return text;
}

function rowHeads({ gateway, batch }: Delivery): string[] {
  const type = JSON.stringify(batch.schema.type);
  return batch.schema.devices.map(
    device =>
      `{"gateway":${JSON.stringify(gateway)},"device":${JSON.stringify(device)},"type":${type},"time":`,
  );
}

type CellWriter = (i: number) => string;

function cellWriter(column: Column): CellWriter {
  if (column instanceof Float64Array) return i => numberText(column[i]!);
  if (column instanceof BigInt64Array) return i => integerText(column[i]!);
  if (column instanceof Uint8Array) return i => (column[i] === 1 ? 'true' : 'false');
  return i => JSON.stringify(column[i]);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return Object.is(value, -0) ? '-0' : String(value);
}

function integerText(value: bigint): string {
  return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
}

function encodeValues(batch: RecordBatch, cells: readonly CellWriter[], names: readonly string[], i: number) {
  let present = '';
  let missing = '';
  let quality = 0;
  for (let f = 0; f < cells.length; f++) {
    if (hasBit(batch.missing?.[f], i)) {
      missing += missing ? `,${names[f]}` : names[f];
      continue;
    }
    const cell = cells[f]!(i);
    if (cell === 'null') quality |= Quality.invalid;
    present += `${present && ','}${names[f]}:${cell}`;
  }
  return { present, missing, quality };
}

const qualityTexts = new Map<number, string>();

function qualityText(bits: number): string {
  const known = qualityTexts.get(bits);
  if (known !== undefined) return known;
  const text = JSON.stringify(qualityReasons(bits));
  qualityTexts.set(bits, text);
  return text;
}

function judgement(batch: RecordBatch, i: number): string {
  const score = batch.score?.[i];
  // A float32 has about 7 digits; what float64 shows beyond them is noise.
  const shown = score === undefined || Number.isNaN(score) ? null : Math.round(score * 1e6) / 1e6;
  return `,"score":${shown},"anomaly":${batch.anomaly?.[i] === 1}`;
}
