import type { Cursor, Delivery } from '@edgeward/shared/contracts';
import { epochKey } from '../epoch-key.js';
import { Seen } from '../seen.js';
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
  const here = new Seen();
  return deliveries.filter(delivery => {
    if (delivery.position <= passed || (stored && isStored(stored, delivery))) return false;
    return here.isFirst(epochKey(delivery.gateway, delivery.epoch), delivery.seq);
  });
}
