/** Writes stored blocks anew, under their seqs, with fewer rows or other times. */
import type { DeviceRows } from '@edgeward/shared/batch';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { type BlockId, decodeBlock, encodeBlock } from '@edgeward/shared/wire';
import type { Core } from './core.js';
import { blockKey, type Put } from './layout.js';
import type { StoredBlock } from './reader.js';
import { packValue, traceNotes } from './stored-value.js';

export interface Rewritten {
  readonly block: StoredBlock;
  readonly put: Put;
  readonly bySize: number;
  readonly devices: readonly DeviceRows[];
}

export function batchOf(core: Core, { bytes }: StoredBlock): RecordBatch {
  return decodeBlock(bytes, id => core.schemas.get(id)).batch;
}

/** @param keepClock  its times are still those of a clock that was not known to be right */
export function rewritten(
  block: StoredBlock,
  batch: RecordBatch,
  devices: readonly DeviceRows[],
  flags: number,
  keepClock: boolean,
): Rewritten {
  const { epoch, seq, oldestEpoch, atMs, voids, clock } = block.header;
  const id: BlockId = {
    epoch,
    seq,
    oldestEpoch,
    atMs,
    ...(voids && { voids }),
    ...(keepClock && clock && { clock }),
  };
  const bytes = encodeBlock(id, batch);
  return {
    block,
    put: { key: blockKey(block.epoch.counter, seq), value: packValue(flags, bytes, traceNotes(block.trace)) },
    bySize: bytes.length - block.bytes.length,
    devices,
  };
}
