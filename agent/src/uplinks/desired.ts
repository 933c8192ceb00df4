/** What the collector says to a gateway on `desired`, beside receipts. */
import { z } from 'zod';

const desiredSchema = z.object({
  /** Which journal answers: another id than before means that what was received may be forgotten. */
  journal: z.string().max(64).optional(),
  /** The collector's time when it said so, ms since Unix epoch. */
  timeMs: z.number().optional(),
  /** The newest version of blocks that it reads and has a use for; absent = 1. */
  wire: z.int().optional(),
  /** A block came whose schema it does not know. */
  ask: z.literal('state').optional(),
  /** Why it takes nothing from this gateway. */
  refused: z.string().max(500).optional(),
});
export type Desired = z.infer<typeof desiredSchema>;

/** Undefined for anything that is no such message. */
export function parseDesired(payload: Uint8Array): Desired | undefined {
  try {
    return desiredSchema.safeParse(JSON.parse(Buffer.from(payload).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
