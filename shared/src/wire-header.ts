/** The JSON header of a wire block of version 0, and what is refused in it. */
import { z } from 'zod';
import type { Evidence, RangeList } from './contracts.js';
import { namePattern } from './topics.js';

/** A block is refused above this many bytes, rows, and header bytes, before anything is allocated for it. */
export const wireLimits = {
  maxBytes: 16 * 1024 * 1024,
  maxRows: 65_536,
  maxHeaderBytes: 1024 * 1024,
} as const;

export interface BlockId {
  readonly epoch: string;
  readonly seq: number;
  /** The oldest epoch the sender still holds blocks of: what is known of older ones may be condensed. */
  readonly oldestEpoch: string;
  /** When the sender made the block, ms since Unix epoch by its clock. */
  readonly atMs: number;
  /** Ranges of seq of this epoch that will never come: dropped, or damaged, and counted as such. */
  readonly voids?: RangeList;
  /** Only while the sender's clock was not known to be right: boot id, 32 hex digits, and ms since that boot. */
  readonly clock?: { readonly boot: string; readonly monotonicMs: number };
}

/** Rows of one device within a block; `count` is less than its span where the block was thinned. */
export interface BlockDevice {
  /** Index into the schema's devices. */
  readonly index: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface BlockHeader extends BlockId {
  readonly schemaId: string;
  readonly rows: number;
  readonly devices: readonly BlockDevice[];
  readonly evidence?: readonly Evidence[];
}

const count = z.int().min(0);
const name = z.string().regex(namePattern);
/** `<start counter>-<64 random bits>`: order by the counter, uniqueness by the bits. */
export const epochPattern = /^\d{1,15}-[0-9a-f]{16}$/;
const epoch = z.string().regex(epochPattern);
const fieldSchema = z.strictObject({
  name: z.string().min(1).max(128),
  kind: z.enum(['float', 'int', 'bool', 'string']),
  unit: z.string().max(32).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  maxRate: z.number().optional(),
  stuckAfter: z.int().optional(),
});
const evidenceSchema = z.strictObject({
  at: count,
  detector: z.enum(['forest', 'rule', 'quality']),
  source: z.string().max(128),
  score: z.number(),
  threshold: z.number(),
  channels: z
    .array(
      z.strictObject({
        field: z.string().max(128),
        value: z.number().nullable(),
        expected: z.tuple([z.number(), z.number()]).optional(),
        direction: z.enum(['high', 'low', 'unusual']),
        weight: z.number(),
      }),
    )
    .max(256),
});
const ranges = z.array(z.tuple([count.min(1), count.min(1)])).max(1024);
export const headerSchema = z.strictObject({
  epoch,
  seq: count.min(1),
  oldestEpoch: epoch,
  atMs: z.number(),
  voids: ranges.optional(),
  clock: z.strictObject({ boot: z.string().regex(/^[0-9a-f]{32}$/), monotonicMs: z.number() }).optional(),
  schemaId: z.string().regex(/^[0-9a-f]{8,16}$/),
  rows: count.min(1).max(wireLimits.maxRows),
  devices: z
    .array(z.strictObject({ index: count, first: count, last: count, count }))
    .min(1)
    .max(4096),
  evidence: z.array(evidenceSchema).max(wireLimits.maxRows).optional(),
  /** Which optional columns follow; indexes of fields. */
  missing: z.array(count).max(1024),
  fieldQuality: z.array(count).max(1024),
  score: z.boolean(),
  anomaly: z.boolean(),
});
/** A block's schema and model, which travel apart from it. */
export const describedSchema = z.strictObject({
  type: name,
  fields: z.array(fieldSchema).min(1).max(1024),
  devices: z.array(name).min(1).max(4096),
  model: z.string().max(128).optional(),
});
export type Header = z.infer<typeof headerSchema>;
