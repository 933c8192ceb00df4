import type { Receipt } from './contracts.js';
import { epochPattern } from './wire.js';

const maxReceipts = 10_000;

/** The payload of the `receipt` topic: receipts as JSON, several at once. */
export function encodeReceipts(receipts: readonly Receipt[]): string {
  return JSON.stringify(receipts);
}

/** Undefined for anything that is not a list of receipts. */
export function parseReceipts(payload: Uint8Array): Receipt[] | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    return Array.isArray(json) && json.length <= maxReceipts && json.every(isReceipt) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** By hand: they come with every block, and a schema takes as long as the rest of what is done with them. */
function isReceipt(json: unknown): json is Receipt {
  if (typeof json !== 'object' || json === null) return false;
  const { epoch, from, through, mark, ...others } = json as Record<string, unknown>;
  return (
    typeof epoch === 'string' &&
    epochPattern.test(epoch) &&
    isSeq(from) &&
    isSeq(through) &&
    (mark === 'journaled' || mark === 'released') &&
    Object.keys(others).length === 0
  );
}

function isSeq(json: unknown): boolean {
  return Number.isSafeInteger(json) && (json as number) >= 1;
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
