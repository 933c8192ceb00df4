/** Which rows somebody may have to look at. */
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { KeptDelivery } from './journal/kept-delivery.js';

export const watchedQuality = Quality.stuck | Quality.outOfRange;

export function isNoted(batch: RecordBatch, i: number): boolean {
  const quality = batch.quality[i]!;
  if ((quality & Quality.warmUp) !== 0) return false;
  return batch.anomaly?.[i] === 1 || (quality & watchedQuality) !== 0;
}

/** No row is. */
export function isInOrder(batch: RecordBatch): boolean {
  for (let i = 0; i < batch.time.length; i++) if (isNoted(batch, i)) return false;
  return true;
}

/** The same, without its columns where they have been looked at. */
export function isCalm(delivery: Delivery): boolean {
  return delivery instanceof KeptDelivery ? delivery.inOrder : isInOrder(delivery.batch);
}
