/** The JSON header of a wire block of version 0, and what is refused in it. */
import { z } from 'zod';
import type { DeviceRows } from './batch.js';
import type { Evidence, Schema } from './contracts.js';
import { namePattern } from './topics.js';

/** A block is refused above this many bytes, rows, and header bytes, before anything is allocated for it. */
export const wireLimits = {
  maxBytes: 16 * 1024 * 1024,
  maxRows: 65_536,
  maxHeaderBytes: 1024 * 1024,
} as const;

export interface BlockId {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  /** The oldest epoch the sender still holds blocks of: what is known of older ones may be condensed. */
  readonly oldestEpoch: string;
  /** When the sender made the block, ms since Unix epoch by its clock. */
  readonly atMs: number;
}

export interface BlockHeader extends BlockId {
  readonly rows: number;
  readonly devices: readonly DeviceRows[];
  readonly schema: Schema;
  readonly model?: string;
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
export const headerSchema = z.strictObject({
  gateway: name,
  epoch,
  seq: count.min(1),
  oldestEpoch: epoch,
  atMs: z.number(),
  rows: count.min(1).max(wireLimits.maxRows),
  devices: z
    .array(z.strictObject({ device: name, first: count, last: count, count }))
    .min(1)
    .max(4096),
  schema: z.strictObject({
    type: name,
    fields: z.array(fieldSchema).min(1).max(1024),
    devices: z.array(name).min(1).max(4096),
  }),
  model: z.string().max(128).optional(),
  evidence: z.array(evidenceSchema).max(wireLimits.maxRows).optional(),
  /** Which optional columns follow; indexes of fields. */
  missing: z.array(count).max(1024),
  fieldQuality: z.array(count).max(1024),
  score: z.boolean(),
  anomaly: z.boolean(),
});
export type Header = z.infer<typeof headerSchema>;
