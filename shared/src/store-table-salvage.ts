/** What can be kept of a damaged block of a table: records in order. Whether their values are whole, their readers see. */
import { type BlockKey, type Handle, keysOf } from './store-table-blocks.js';

/** Records between two whole keys. */
const restartEvery = 16;
const tagBytes = 8;

interface TableRecord {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** The block anew, no longer than it was; undefined = nothing of it can be kept. */
export function salvaged(file: Buffer, handle: Handle): Buffer | undefined {
  const block = file.subarray(handle.offset, handle.offset + handle.size);
  if (block.length < 8) return undefined;
  const records = recordsOf(block).filter(({ key }) => isKey(key));
  // A wrong key lies before the one before it, or behind the one after it.
  const kept = records.filter(
    ({ key }, i) => i === records.length - 1 || compareKeys(key, records[i + 1]!.key) < 0,
  );
  const rising = kept.filter(({ key }, i) => i === 0 || compareKeys(kept[i - 1]!.key, key) < 0);
  const packed = packRecords(rising);
  return rising.length > 0 && packed.length <= block.length ? packed : undefined;
}

/** Where it can no longer be followed, it goes on at the next whole key. */
function recordsOf(block: Buffer): TableRecord[] {
  const records: TableRecord[] = [];
  const [starts, end] = restartsOf(block);
  for (const [i, start] of starts.entries()) {
    const stop = starts[i + 1] ?? end;
    let key: Buffer = Buffer.alloc(0);
    try {
      for (const entry of keysOf(block, start, stop)) {
        key = wholeKey(key, entry);
        const value = block.subarray(entry.valueAt, entry.valueAt + entry.valueBytes);
        if (entry.valueAt + entry.valueBytes > stop) break;
        records.push({ key, value });
      }
    } catch {
      // On to the next.
    }
  }
  return records;
}

function restartsOf(block: Buffer): [starts: number[], end: number] {
  const count = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 * (1 + count);
  if (end < 0) return [[0], block.length];
  const starts = Array.from({ length: count }, (_, i) => block.readUInt32LE(end + 4 * i));
  return [starts.filter((start, i) => start < end && (i === 0 || start > starts[i - 1]!)), end];
}

export function wholeKey(before: Buffer, { sharedBytes, rest }: BlockKey): Buffer {
  if (sharedBytes > before.length) throw new RangeError('no such key before it');
  return Buffer.concat([before.subarray(0, sharedBytes), rest]);
}

/** Ends in a sequence number and whether it was put or deleted. */
function isKey(key: Buffer): boolean {
  return key.length >= tagBytes && key[key.length - tagBytes]! <= 1;
}

/** By key, then the newest first, which the last eight bytes tell. */
export function compareKeys(a: Buffer, b: Buffer): number {
  const [keyA, keyB] = [a.subarray(0, -tagBytes), b.subarray(0, -tagBytes)];
  const order = Buffer.compare(keyA, keyB);
  if (order !== 0) return order;
  const [tagA, tagB] = [a.readBigUInt64LE(keyA.length), b.readBigUInt64LE(keyB.length)];
  return tagA > tagB ? -1 : tagA < tagB ? 1 : 0;
}

function packRecords(records: readonly TableRecord[]): Buffer {
  const parts: Buffer[] = [];
  const restarts: number[] = [];
  let at = 0;
  let before: Buffer = Buffer.alloc(0);
  for (const [i, { key, value }] of records.entries()) {
    if (i % restartEvery === 0) {
      restarts.push(at);
      before = Buffer.alloc(0);
    }
    const shared = sharedBytes(before, key);
    const head = [shared, key.length - shared, value.length].map(packNumber);
    const part = Buffer.concat([...head, key.subarray(shared), value]);
    parts.push(part);
    at += part.length;
    before = key;
  }
  return Buffer.concat([...parts, packRestarts(restarts)]);
}

function sharedBytes(a: Buffer, b: Buffer): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n += 1;
  return n;
}

export function packRestarts(restarts: readonly number[]): Buffer {
  const starts = restarts.length > 0 ? restarts : [0];
  const tail = Buffer.alloc(4 * (starts.length + 1));
  for (const [i, start] of [...starts, starts.length].entries()) tail.writeUInt32LE(start, 4 * i);
  return tail;
}

/** Seven bits a byte, lowest first. */
export function packNumber(n: number): Buffer {
  const bytes: number[] = [];
  let left = n;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Buffer.from([...bytes, left]);
}
