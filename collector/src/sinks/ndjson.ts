/**
 * Rows as NDJSON, one object a line:
 *
 *   {"gateway","device","type","time","epoch","seq","row","values":{…},"missing"?:[…],"quality":[…],
 *    "score","anomaly","late","model"}
 *
 * See json-rows.ts for how values are written. A field in `missing` is not in `values`. `score` and `model` are null
 * for rows that no model judged.
 */
import type { Delivery } from '@edgeward/shared/contracts';
import { Bytes } from './bytes.js';
import { JsonRows } from './json-rows.js';

const style = { type: true, missing: true, model: true } as const;
const end = Buffer.from('}\n');

/** @returns one line for each row, each ended by a newline */
export function encodeRows(delivery: Delivery): Buffer {
  const n = delivery.batch.time.length;
  const out = new Bytes(n * 256);
  const rows = new JsonRows(delivery, style);
  for (let i = 0; i < n; i++) {
    rows.write(i, out);
    out.bytes(end);
  }
  return out.data.subarray(0, out.length);
}
