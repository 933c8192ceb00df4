import type { Metrics } from './card.js';
import { ScoreSmoother } from './smoothing.js';
import { quantile, rounded } from './statistics.js';

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
