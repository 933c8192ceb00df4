import type { Metrics } from './card.js';
import { ScoreSmoother } from './smoothing.js';
import { quantile, rounded } from './statistics.js';

/** Above what engines may differ by, below what tells rows apart. */
const leastStep = 1e-5;

/** Smooths each device's scores like the scorer does. */
export function smoothed(device: Uint16Array, scores: Float32Array, smoothingRows: number): Float32Array {
  const smoothers = new Map<number, ScoreSmoother>();
  return scores.map((score, r) => {
    let smoother = smoothers.get(device[r]!);
    if (!smoother) {
      smoother = new ScoreSmoother(smoothingRows);
      smoothers.set(device[r]!, smoother);
    }
    return smoother.next(score);
  });
}

/**
 * A threshold that normal rows stay below: their 99.99th percentile, and above it `margin` times as much as it
 * lies above the median. A quantile, because data held to be normal may still hold a short fault.
 */
export function thresholdAbove(scores: Float32Array, margin: number): number {
  const sorted = Float32Array.from(scores).sort();
  const high = quantile(sorted, 0.9999);
  return Math.min(1, rounded(high + margin * (high - quantile(sorted, 0.5))));
}

/**
 * Where alarms begin, chosen by how many of the training rows shall be in alarm. `contamination`: at most this share of
 * them, and as near to it as equal scores allow, for data that is known to hold some faults. `quantile`: the same, told
 * as the share that shall not.
 * @returns  halfway between the lowest score in alarm and the next lower one; if none is in alarm, just above the highest
 * @throws   RangeError for no scores, or a share outside of 0 to 1
 */
export function thresholdAt(
  scores: Float32Array,
  share: { readonly contamination: number } | { readonly quantile: number },
): number {
  const contamination = 'quantile' in share ? 1 - share.quantile : share.contamination;
  if (!(contamination >= 0 && contamination <= 1)) throw new RangeError(`${contamination} is no share`);
  if (scores.length === 0) throw new RangeError('there are no scores');
  const sorted = Float32Array.from(scores).sort();
  // A share such as 0.07 of 100 rows is 7.000000000000001 or 6.999…
  const most = Math.floor(contamination * sorted.length + 1e-9);
  let first = sorted.length - most;
  // Equal scores are in alarm together, or not at all.
  while (first > 0 && first < sorted.length && sorted[first] === sorted[first - 1]) first += 1;
  if (first === 0) return sorted[0]!;
  const below = sorted[first - 1]!;
  return first === sorted.length ? Math.min(1, below + leastStep) : (below + sorted[first]!) / 2;
}

/** What the threshold means on smoothed scores of rows that the forest has not seen. */
export function measure(device: Uint16Array, scores: Float32Array, threshold: number): Metrics {
  const inAlarm = new Map<number, boolean>();
  let alarms = 0;
  let episodes = 0;
  scores.forEach((score, r) => {
    const alarm = score >= threshold;
    if (alarm) alarms += 1;
    if (alarm && !inAlarm.get(device[r]!)) episodes += 1;
    inAlarm.set(device[r]!, alarm);
  });
  const sorted = Float32Array.from(scores).sort();
  return {
    heldOutRows: scores.length,
    heldOutDevices: inAlarm.size,
    falseAlarmShare: rounded(alarms / scores.length),
    falseAlarmEpisodes: episodes,
    median: rounded(quantile(sorted, 0.5)),
    p99: rounded(quantile(sorted, 0.99)),
    highest: rounded(sorted.at(-1) ?? 0),
  };
}
