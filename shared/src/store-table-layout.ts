/**
 * Where the blocks of a table lie, also when its end is damaged: data blocks one behind the other, then a filter, an
 * index of filters, the index, and the footer, which points to both indexes.
 */
import {
  blockOf,
  type Handle,
  isWhole,
  keysOf,
  TableCursor,
  trailerBytes,
  wholeBlockAt,
} from './store-table-blocks.js';

export const footerBytes = 48;

export interface Footer {
  /** The index of filters. */
  readonly meta: Handle;
  readonly index: Handle;
}

export interface Layout {
  /** All data blocks in their order, whole or not. */
  readonly blocks: readonly Handle[];
  /** Behind the last of them. */
  readonly dataEnd: number;
}

/** Undefined if its numbers cannot be followed. They may be wrong. */
export function footerIn(file: Buffer): Footer | undefined {
  try {
    const footer = new TableCursor(file, file.length - footerBytes);
    return { meta: footer.handle(), index: footer.handle() };
  } catch {
    return undefined;
  }
}

/** The handles that are the values of an index; as far as they can be followed and lie within the file. */
export function handlesIn(file: Buffer, block: Handle): Handle[] {
  const handles: Handle[] = [];
  try {
    for (const { valueAt } of keysOf(blockOf(file, block)))
      handles.push(new TableCursor(file, block.offset + valueAt).handle());
  } catch {
    // What it does not tell is found by the blocks' own checksums.
  }
  return handles.filter(({ offset, size }) => offset + size + trailerBytes <= file.length);
}

/**
 * Of a table that is not sound.
 * @returns undefined if neither its index, right before the footer, nor its index of filters can be found whole
 */
export function layoutOf(file: Buffer, footer: Footer | undefined): Layout | undefined {
  const isIndex = footer && isWhole(file, footer.index) && endOf(footer.index) === file.length - footerBytes;
  const index = isIndex ? footer.index : lastBlock(file);
  if (index) {
    const blocks = handlesIn(file, index);
    return { blocks, dataEnd: Math.max(0, ...blocks.map(endOf)) };
  }
  if (!footer || !isWhole(file, footer.meta)) return undefined;
  const dataEnd = Math.min(footer.meta.offset, ...handlesIn(file, footer.meta).map(({ offset }) => offset));
  const hints = handlesIn(file, footer.index).filter(handle => endOf(handle) <= dataEnd);
  return { blocks: blocksUpTo(file, dataEnd, hints), dataEnd };
}

const endOf = ({ offset, size }: Handle) => offset + size + trailerBytes;

/** The index, if all blocks are whole and only the footer is not. */
function lastBlock(file: Buffer): Handle | undefined {
  const limit = file.length - footerBytes;
  let last: Handle | undefined;
  for (let at = 0; at < limit; at = endOf(last)) {
    last = wholeBlockAt(file, at, limit);
    if (!last) return undefined;
  }
  return last;
}

/** @param hints  where some of them may be */
function blocksUpTo(file: Buffer, dataEnd: number, hints: readonly Handle[]): Handle[] {
  const known = hints.filter(hint => isWhole(file, hint)).sort((a, b) => a.offset - b.offset);
  const blocks: Handle[] = [];
  for (let at = 0; at < dataEnd; at = endOf(blocks.at(-1)!)) {
    const next = known.find(({ offset }) => offset >= at);
    if (next?.offset === at) blocks.push(next);
    else blocks.push(wholeBlockAt(file, at, dataEnd) ?? damagedBlock(at, next?.offset ?? dataEnd));
  }
  return blocks;
}

/** It goes as far as the next one that is known. */
function damagedBlock(offset: number, end: number): Handle {
  return { offset, size: Math.max(0, end - offset - trailerBytes) };
}
