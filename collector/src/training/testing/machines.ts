/** Blocks of made-up machines, as the journal has them. */
import type { RecordBatch } from '@edgeward/shared/contracts';
import { selectRows } from '@edgeward/shared/select-rows';
import { type Described, decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire';
import type { Incoming } from '../../journal/journal.js';
import { epochOf } from '../../journal/testing/blocks.js';
import type { StoredBytes } from '../request.js';

export interface BlockOptions {
  readonly gateway?: string;
  readonly rowsEach?: number;
  /** Default: when its last row was read. */
  readonly ingestedMs?: number;
}

export interface MachineBlock extends StoredBytes {
  readonly described: Described;
}

/** A record cut into blocks, in its order. */
export function blocksOf(batch: RecordBatch, options: BlockOptions = {}): MachineBlock[] {
  const { gateway = 'gw-1', rowsEach = 200 } = options;
  const described = describe(batch.schema, batch.model);
  const blocks: MachineBlock[] = [];
  for (let from = 0; from < batch.time.length; from += rowsEach) {
    const size = Math.min(rowsEach, batch.time.length - from);
    const part = selectRows(
      batch,
      Uint32Array.from({ length: size }, (_, i) => from + i),
    );
    const seq = blocks.length + 1;
    const epoch = epochOf(1);
    const bytes = encodeBlock({ epoch, seq, oldestEpoch: epoch, atMs: part.time[0]! }, part);
    const ingestedMs = options.ingestedMs ?? part.time.at(-1)!;
    blocks.push({ gateway, ingestedMs, schemaId: described.id, bytes, described });
  }
  return blocks;
}

/** For `Journal.append`. */
export function incoming({ gateway, ingestedMs, bytes, described }: MachineBlock): Incoming {
  const block = decodeBlock(bytes, () => described);
  return { gateway, outbox: 'outbox-1', bytes, ...block, ingestedMs, late: false };
}
