import type { Cursor, Delivery } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';

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
  const received = stored?.received; // once: a cursor puts it together when it is read
  const sets = new Map<string, RangeSet>();
  return deliveries.filter(({ gateway, epoch, seq, position }) => {
    const key = `${gateway}/${epoch}`;
    const set = sets.get(key) ?? new RangeSet(received?.[key]);
    sets.set(key, set);
    if (position <= passed || set.has(seq)) return false;
    set.add(seq);
    return true;
  });
}
