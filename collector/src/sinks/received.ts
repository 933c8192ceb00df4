import type { Cursor, Delivery } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { isStored } from '../stored-ranges.js';

/**
 * The deliveries that a consumer has not stored yet, each once, in their order.
 * Within its own journal the position decides; a foreign one has other positions, so there the ranges do.
 * @param stored   where the consumer stands
 * @param journal  whose deliveries these are
 */
export function notYetStored(
  deliveries: readonly Delivery[],
  stored: Cursor | undefined,
  journal: string,
): Delivery[] {
  const passed = stored?.journal === journal ? stored.position : 0;
  const here = new Map<string, RangeSet>();
  return deliveries.filter(delivery => {
    if (delivery.position <= passed || (stored && isStored(stored, delivery))) return false;
    const { gateway, epoch, seq } = delivery;
    const seen = getOrMake(here, `${gateway}/${epoch}`, () => new RangeSet());
    if (seen.has(seq)) return false;
    seen.add(seq);
    return true;
  });
}
