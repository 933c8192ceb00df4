import { z } from 'zod';
import type { Receipt } from './contracts.js';
import { epochPattern } from './wire.js';

/** The payload of the `receipt` topic: receipts as JSON, several at once. */
const receiptsSchema = z
  .array(
    z.strictObject({
      epoch: z.string().regex(epochPattern),
      from: z.int().min(1),
      through: z.int().min(1),
      mark: z.enum(['journaled', 'released']),
    }),
  )
  .max(10_000);

export function encodeReceipts(receipts: readonly Receipt[]): string {
  return JSON.stringify(receipts);
}

/** Undefined for anything that is not a list of receipts. */
export function parseReceipts(payload: Uint8Array): Receipt[] | undefined {
  try {
    return receiptsSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch {
    return undefined;
  }
}

/** Neighbouring numbers become one receipt. */
export function receiptsOf(epoch: string, seqs: readonly number[], mark: Receipt['mark']): Receipt[] {
  const receipts: { epoch: string; from: number; through: number; mark: Receipt['mark'] }[] = [];
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    const last = receipts.at(-1);
    if (last && seq <= last.through + 1) last.through = seq;
    else receipts.push({ epoch, from: seq, through: seq, mark });
  }
  return receipts;
}
