import { namePattern } from '@edgeward/shared/topics';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';
import { Identities } from './identity.js';
import type { Journal } from './journal/journal.js';

const identity = z.object({ outbox: z.string().max(64), epoch: z.string().regex(epochPattern) });

/** Who had which name when the journal was last open; one that cannot be read is learned anew. */
export async function loadIdentities(
  journal: Journal,
  takeoverAfterMs: number,
  nowMs: number,
): Promise<Identities> {
  const saved: Record<string, z.output<typeof identity>> = {};
  for await (const [gateway, json] of journal.records('i')) {
    const { data } = identity.safeParse(json);
    if (data && namePattern.test(gateway)) saved[gateway] = data;
  }
  return new Identities(takeoverAfterMs, saved, nowMs);
}
