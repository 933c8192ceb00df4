import type { SourcePosition } from '@edgeward/shared/contracts';
import { crc32c } from '@edgeward/shared/crc32c';
import { type CsvFile, inputError, readSpan } from './csv-file.js';

const lineFeed = 0x0a;
/** So much of the last row read is compared before reading on. */
const tailBytes = 64;

/** Where a replay stands: all of it is stored with each block. Times are those of the file, ms. */
export interface ReplayPosition {
  readonly path: string;
  /** Byte of the next unread row; in a compressed file, of its content. */
  readonly offset: number;
  /** Rows handed over in this pass, rejected ones included. */
  readonly row: number;
  /** Passes finished. */
  readonly loop: number;
  /** Checksum of the header line; null = not read yet. */
  readonly header: number | null;
  /** Length and checksum of what stands before `offset`, to notice another file under the same name. */
  readonly tailLength: number;
  readonly tail: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  /** Time between the last two rows, for the step from the end of a pass to the next. */
  readonly stepMs: number;
  /** Added to recorded times in this pass. */
  readonly shiftMs: number;
}

export function startOf(path: string): ReplayPosition {
  return {
    path,
    offset: 0,
    row: 0,
    loop: 0,
    header: null,
    tailLength: 0,
    tail: 0,
    firstMs: null,
    lastMs: null,
    stepMs: 1000,
    shiftMs: 0,
  };
}

/** What a stored position says; undefined if it speaks of another file or is none. */
export function readPosition(path: string, stored: SourcePosition | undefined): ReplayPosition | undefined {
  if (stored?.path !== path) return undefined;
  const numbers = (['offset', 'row', 'loop', 'tailLength', 'tail', 'stepMs', 'shiftMs'] as const).every(key =>
    Number.isFinite(stored[key]),
  );
  const optional = (['header', 'firstMs', 'lastMs'] as const).every(
    key => stored[key] === null || Number.isFinite(stored[key]),
  );
  return numbers && optional ? (stored as SourcePosition & ReplayPosition) : undefined;
}

/** The same place seen from the end of a pass: the next pass goes on in time where this one ended. */
export function nextPass(position: ReplayPosition): ReplayPosition {
  const { path, loop, header, firstMs, lastMs, stepMs, shiftMs } = position;
  const spanMs = firstMs === null || lastMs === null ? 0 : lastMs - firstMs;
  return { ...startOf(path), loop: loop + 1, header, stepMs, shiftMs: shiftMs + spanMs + stepMs };
}

/** After rows with these times, the last of which ends at `end` within `bytes`. */
export function advance(
  position: ReplayPosition,
  step: { offset: number; rows: number; times: Float64Array; record: Uint8Array },
): ReplayPosition {
  let { firstMs, lastMs, stepMs } = position;
  for (const time of step.times) {
    firstMs = firstMs === null ? time : Math.min(firstMs, time);
    if (lastMs !== null && time > lastMs) stepMs = time - lastMs;
    lastMs = lastMs === null ? time : Math.max(lastMs, time);
  }
  const tail = step.record.subarray(-tailBytes);
  return {
    ...position,
    offset: step.offset,
    row: position.row + step.rows,
    tailLength: tail.length,
    tail: crc32c(tail),
    firstMs,
    lastMs,
    stepMs,
  };
}

/**
 * Makes sure that the file still is the one the position was taken in. It may have grown.
 * @returns whether the last row read had no line end then, so that more of its line may have come since
 * @throws EW_SOURCE_INPUT if it shrank or was replaced
 */
export async function checkUnchanged(file: CsvFile, position: ReplayPosition): Promise<boolean> {
  const remedy = 'Put the former file back, or give the source another name to read this one from its start.';
  if (position.header !== null && position.header !== file.headerCrc) {
    throw inputError(file.path, `has another header than when it was read last. ${remedy}`);
  }
  if (position.tailLength === 0) return false;
  const tail = await readSpan(file, position.offset - position.tailLength, position.offset);
  if (tail.length < position.tailLength) {
    throw inputError(file.path, `is shorter than the ${position.offset} bytes read so far. ${remedy}`);
  }
  if (crc32c(tail) !== position.tail) {
    throw inputError(file.path, `changed before byte ${position.offset}, which was read already. ${remedy}`);
  }
  return tail.at(-1) !== lineFeed;
}
