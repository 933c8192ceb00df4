import type { DeviceRows } from '@edgeward/shared/batch';
import type { Described } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { numberInKey, type StoreDatabase } from '@edgeward/shared/store';
import { namedRows } from '@edgeward/shared/wire';
import { z } from 'zod';
import { blockEnd, blockKey, storedBlock, storedHeader } from '../journal/layout.js';

/** One block of the journal, without its values. */
export interface ListedBlock {
  readonly position: number;
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly devices: readonly DeviceRows[];
}

/** One that cannot be read. */
export interface BadBlock {
  readonly position: number;
  readonly problem: string;
}

const deviceSchema = z.object({ device: z.string(), first: z.number(), last: z.number(), count: z.number() });
const blockSchema = z.object({
  position: z.number(),
  gateway: z.string(),
  epoch: z.string(),
  seq: z.number(),
  devices: z.array(deviceSchema),
});

export const blockPage = z.object({
  blocks: z.array(z.union([blockSchema, z.object({ position: z.number(), problem: z.string() })])),
  /** Where to go on; null = that was all. */
  next: z.number().nullable(),
});

export type BlockPage = z.output<typeof blockPage>;

type DescribedOf = (id: string) => Described | undefined;

/**
 * What stands behind a position, in order, each block's checksum tried.
 * @param decode  tries the columns, too
 */
export async function* listBlocks(
  db: StoreDatabase,
  describedOf: DescribedOf,
  after: number,
  decode = false,
): AsyncGenerator<ListedBlock | BadBlock> {
  for await (const [key, value] of db.iterator({ gt: blockKey(after), lt: blockEnd, fillCache: false }))
    yield listed(numberInKey(key, 0), value, describedOf, decode);
}

/** @returns at most `most` blocks */
export async function listPage(
  db: StoreDatabase,
  describedOf: DescribedOf,
  after: number,
  most: number,
  decode = false,
): Promise<BlockPage> {
  const blocks: BlockPage['blocks'] = [];
  for await (const block of listBlocks(db, describedOf, after, decode)) {
    blocks.push(block as BlockPage['blocks'][number]);
    if (blocks.length >= most) return { blocks, next: block.position };
  }
  return { blocks, next: null };
}

function listed(
  position: number,
  value: Buffer,
  describedOf: DescribedOf,
  decode: boolean,
): ListedBlock | BadBlock {
  try {
    const { gateway, header } = decode ? storedBlock(value, describedOf) : storedHeader(value);
    const described = describedOf(header.schemaId);
    if (!described) return { position, problem: `its schema ${header.schemaId} is lost` };
    const { epoch, seq, devices } = header;
    return { position, gateway, epoch, seq, devices: namedRows(devices, described) };
  } catch (error) {
    return { position, problem: messageOf(error) };
  }
}
