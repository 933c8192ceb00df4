/**
 * LevelDB's table files, checked by their own checksums, which LevelDB does not look at when it reads. With a wrong key
 * in a table it aborts the whole process as soon as it compacts. So a table that is not whole is mended: given an index
 * of only those of its blocks that are, at the same size, since LevelDB knows the sizes of its tables.
 * Format: doc/table_format.md of google/leveldb. Our stores are not compressed.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dataFilesOf } from './store-damage.js';
import { blockOf, type Handle, isWhole, keysOf, seal, trailerBytes } from './store-table-blocks.js';
import {
  type Footer,
  footerBytes,
  footerIn,
  handlesIn,
  type Layout,
  layoutOf,
} from './store-table-layout.js';
import { compareKeys, packNumber, packRestarts, salvaged, wholeKey } from './store-table-salvage.js';

const magic = 0xdb4775248b80fb57n;

export interface TableFault {
  readonly name: string;
  /** What is wrong, in a sentence. */
  readonly text: string;
  /** The table without its damaged blocks; undefined = nothing can be made out. */
  readonly mended: Buffer | undefined;
}

export async function faultyTables(directory: string): Promise<TableFault[]> {
  const faults: TableFault[] = [];
  for (const name of Object.keys(await dataFilesOf(directory))) {
    if (!/\.(ldb|sst)$/.test(name)) continue;
    const fault = faultOf(await readFile(path.join(directory, name)));
    if (fault) faults.push({ name, text: `Table ${name}: ${fault.problem}.`, mended: fault.mended });
  }
  return faults;
}

/** Replaces faulty tables by what can be made out of them. */
export async function mendTables(directory: string, faults: readonly TableFault[]): Promise<void> {
  for (const { name, mended } of faults) {
    if (!mended) continue;
    const file = path.join(directory, name);
    await writeFile(`${file}.tmp`, mended, { flush: true });
    await rename(`${file}.tmp`, file);
  }
}

function faultOf(file: Buffer): { problem: string; mended?: Buffer | undefined } | undefined {
  if (file.length < footerBytes) return { problem: 'its end is gone' };
  const footer = footerIn(file);
  const isTable = file.readBigUInt64LE(file.length - 8) === magic;
  if (isTable && footer && isSound(file, footer)) return undefined;
  // Without the magic number it may have been cut, and what stands there be no footer.
  const layout = layoutOf(file, isTable ? footer : undefined);
  if (!layout) return { problem: isTable ? 'its index is unreadable' : 'its end is gone' };
  const bad = layout.blocks.filter(block => !isWhole(file, block)).length;
  const problem = bad > 0 ? `${bad} of its blocks fail their checksums` : 'its index fails its checksum';
  return { problem, mended: mend(file, layout) };
}

function isSound(file: Buffer, { meta, index }: Footer): boolean {
  if (!isWhole(file, meta) || !isWhole(file, index)) return false;
  return [...handlesIn(file, meta), ...handlesIn(file, index)].every(handle => isWhole(file, handle));
}

/** The data blocks that are whole or can be made so, and an index of them, in place of all that is behind them. */
function mend(file: Buffer, { blocks, dataEnd }: Layout): Buffer | undefined {
  const mended = Buffer.from(file);
  const kept = keptBlocks(mended, blocks);
  const entries = kept.map(block => indexEntry(block));
  const emptyMeta = sealed(packRestarts([]));
  const newIndex = sealed(Buffer.concat([...entries, packRestarts(offsetsOf(entries))]));
  if (emptyMeta.length + newIndex.length > file.length - footerBytes - dataEnd) return undefined;
  emptyMeta.copy(mended, dataEnd);
  newIndex.copy(mended, dataEnd + emptyMeta.length);
  footerOf(
    { offset: dataEnd, size: emptyMeta.length - trailerBytes },
    { offset: dataEnd + emptyMeta.length, size: newIndex.length - trailerBytes },
  ).copy(mended, file.length - footerBytes);
  return mended;
}

interface KeptBlock {
  readonly handle: Handle;
  readonly keys: { readonly first: Buffer; readonly last: Buffer };
}

/** In order: of what was salvaged, only what lies between the blocks beside it. Writes them where they were. */
function keptBlocks(file: Buffer, blocks: readonly Handle[]): KeptBlock[] {
  const kept: (KeptBlock & { readonly salvaged?: Buffer })[] = [];
  for (const handle of blocks) {
    const whole = isWhole(file, handle);
    const bytes = whole ? blockOf(file, handle) : salvaged(file, handle);
    const keys = bytes && rangeOf(bytes);
    if (!keys) continue;
    const isBehind = () => kept.length > 0 && compareKeys(kept.at(-1)!.keys.last, keys.first) >= 0;
    if (!whole && isBehind()) continue;
    while (whole && isBehind() && kept.at(-1)!.salvaged) kept.pop();
    if (isBehind()) continue;
    kept.push(
      whole ? { handle, keys } : { handle: { ...handle, size: bytes.length }, keys, salvaged: bytes },
    );
  }
  for (const { handle, salvaged: bytes } of kept) if (bytes) sealed(bytes).copy(file, handle.offset);
  return kept;
}

/** Its first and its last key; undefined if it has none, or they are not in order. */
function rangeOf(block: Buffer): KeptBlock['keys'] | undefined {
  let [first, last]: (Buffer | undefined)[] = [];
  try {
    for (const entry of keysOf(block)) {
      const key = wholeKey(last ?? Buffer.alloc(0), entry);
      if (last && compareKeys(last, key) >= 0) return undefined;
      first ??= key;
      last = key;
    }
  } catch {
    return undefined;
  }
  return first && last && { first, last };
}

function indexEntry({ handle, keys: { last } }: KeptBlock): Buffer {
  const value = Buffer.concat([packNumber(handle.offset), packNumber(handle.size)]);
  return Buffer.concat([packNumber(0), packNumber(last.length), packNumber(value.length), last, value]);
}

function offsetsOf(entries: readonly Buffer[]): number[] {
  let at = 0;
  return entries.map(({ length }) => {
    at += length;
    return at - length;
  });
}

/** With its trailer. */
function sealed(block: Buffer): Buffer {
  const whole = Buffer.concat([block, Buffer.alloc(trailerBytes)]);
  seal(whole);
  return whole;
}

function footerOf(meta: Handle, index: Handle): Buffer {
  const footer = Buffer.alloc(footerBytes);
  Buffer.concat([meta, index].flatMap(({ offset, size }) => [packNumber(offset), packNumber(size)])).copy(
    footer,
  );
  footer.writeBigUInt64LE(magic, footerBytes - 8);
  return footer;
}
