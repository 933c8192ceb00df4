/**
 * LevelDB's table files, checked by their own checksums, which LevelDB does not look at when it reads. With a wrong key
 * in a table it aborts the whole process as soon as it compacts. So a table that is not whole is mended: given an index
 * of only those of its blocks that are, at the same size, since LevelDB knows the sizes of its tables.
 * Format: doc/table_format.md of google/leveldb. Our stores are not compressed.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dataFilesOf } from './store-damage.js';
import {
  blockOf,
  type Handle,
  isWhole,
  keysOf,
  seal,
  TableCursor,
  trailerBytes,
} from './store-table-blocks.js';
import { packNumber, packRestarts, salvaged, wholeKey } from './store-table-salvage.js';

const footerBytes = 48;
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

interface Table {
  readonly file: Buffer;
  readonly meta: Handle;
  readonly index: Handle;
}

function faultOf(file: Buffer): { problem: string; mended?: Buffer | undefined } | undefined {
  if (file.length < footerBytes || file.readBigUInt64LE(file.length - 8) !== magic)
    return { problem: 'its end is gone' };
  const table = openTable(file);
  if (!table) return { problem: 'its end is unreadable' };
  const { meta, index } = table;
  const filters = handlesIn(file, meta);
  const sound = [meta, index, ...filters].every(handle => isWhole(file, handle));
  const handles = handlesIn(file, index);
  const bad = handles.filter(handle => !isWhole(file, handle)).length;
  if (sound && bad === 0) return undefined;
  const problem = bad > 0 ? `${bad} of its blocks fail their checksums` : 'its index fails its checksum';
  return { problem, mended: mend(table, handles, filters) };
}

function openTable(file: Buffer): Table | undefined {
  try {
    const footer = new TableCursor(file, file.length - footerBytes);
    return { file, meta: footer.handle(), index: footer.handle() };
  } catch {
    return undefined;
  }
}

/** The handles that are the values of an index; as far as they can be followed. */
function handlesIn(file: Buffer, block: Handle): Handle[] {
  const handles: Handle[] = [];
  try {
    for (const { valueAt } of keysOf(blockOf(file, block)))
      handles.push(new TableCursor(file, block.offset + valueAt).handle());
  } catch {
    // The rest is found by what lies between.
  }
  return handles.filter(({ offset, size }) => offset + size + trailerBytes <= file.length);
}

function mend(table: Table, handles: readonly Handle[], filters: readonly Handle[]): Buffer | undefined {
  const { file, meta, index } = table;
  const end = Math.min(...[meta, index, ...filters].map(({ offset }) => offset));
  if (end > file.length - footerBytes) return undefined;
  const mended = Buffer.from(file);
  const entries = withGaps(handles, end).flatMap(handle => keptBlock(mended, handle) ?? []);
  const emptyMeta = sealed(packRestarts([]));
  const newIndex = sealed(Buffer.concat([...entries, packRestarts(offsetsOf(entries))]));
  if (emptyMeta.length + newIndex.length > file.length - footerBytes - end) return undefined;
  emptyMeta.copy(mended, end);
  newIndex.copy(mended, end + emptyMeta.length);
  footerOf(
    { offset: end, size: emptyMeta.length - trailerBytes },
    { offset: end + emptyMeta.length, size: newIndex.length - trailerBytes },
  ).copy(mended, file.length - footerBytes);
  return mended;
}

/** Makes a block good again in its place. @returns its entry in the index; undefined = it is left out */
function keptBlock(file: Buffer, { offset, size }: Handle): Buffer | undefined {
  if (isWhole(file, { offset, size })) return indexEntry(file, { offset, size });
  const block = salvaged(file, { offset, size });
  if (!block) return undefined;
  sealed(block).copy(file, offset);
  return indexEntry(file, { offset, size: block.length });
}

/** Blocks lie one behind the other: between two known ones there may be one whose handle is lost. */
function withGaps(handles: readonly Handle[], end: number): Handle[] {
  const sorted = [...handles].filter(({ offset }) => offset < end).sort((a, b) => a.offset - b.offset);
  const all: Handle[] = [];
  let at = 0;
  for (const handle of [...sorted, { offset: end, size: -trailerBytes }]) {
    if (handle.offset > at + trailerBytes) all.push({ offset: at, size: handle.offset - at - trailerBytes });
    if (handle.offset < end) all.push(handle);
    at = Math.max(at, handle.offset + handle.size + trailerBytes);
  }
  return all;
}

function indexEntry(file: Buffer, handle: Handle): Buffer {
  let key: Buffer = Buffer.alloc(0);
  for (const entry of keysOf(blockOf(file, handle))) key = wholeKey(key, entry);
  const value = Buffer.concat([packNumber(handle.offset), packNumber(handle.size)]);
  return Buffer.concat([packNumber(0), packNumber(key.length), packNumber(value.length), key, value]);
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
