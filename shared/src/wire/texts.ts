/** Columns of text: the different ones as a JSON array in UTF-8, in order of first use, and the index of each row's. */
import { getOrMake } from '../maps.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import { corrupt, wireLimits } from './limits.js';
import { smalls } from './scratch.js';
import { readSmalls, writeSmalls } from './smalls.js';

/** @throws TypeError if the texts alone are more than a block may hold */
export function writeTexts(out: BitWriter, column: readonly string[], { n, order }: Layout): void {
  const indexes = new Map<string, number>();
  for (let i = 0; i < n; i++) {
    const text = column[order ? order[i]! : i]!;
    smalls[i] = getOrMake(indexes, text, () => indexes.size);
  }
  const json = Buffer.from(JSON.stringify([...indexes.keys()]), 'utf8');
  if (json.length > wireLimits.maxBytes) throw new TypeError(`${json.length} bytes of text make no block`);
  out.count(json.length);
  out.bytes(json);
  writeSmalls(out, n);
}

/** @throws EW_BLOCK_CORRUPT */
export function readTexts(from: BitReader, { n, order }: Layout): string[] {
  const json = from.bytes(from.countUpTo(wireLimits.maxBytes, 'bytes of text')).toString('utf8');
  const texts: unknown = JSON.parse(json);
  if (!Array.isArray(texts) || !texts.every(text => typeof text === 'string'))
    throw corrupt('its texts are no list of texts');
  readSmalls(from, n, smalls);
  const column = new Array<string>(n).fill('');
  for (let i = 0; i < n; i++) {
    const text: string | undefined = texts[smalls[i]!];
    if (text === undefined) throw corrupt(`there is no text ${smalls[i]}`);
    column[order ? order[i]! : i] = text;
  }
  return column;
}
