import type { RecordBatch } from '@edgeward/shared/contracts';
import type { Metrics } from './card.js';
import { ScoreSmoother } from './smoothing.js';
import { quantile, rounded } from './statistics.js';

/** Smooths like the scorer does. NaN while a device warms up. */
export function smoothed(
  batch: RecordBatch,
  scores: Float32Array,
  warmUp: Uint8Array,
  smoothingRows: number,
): Float32Array {
  const smoothers = batch.schema.devices.map(() => new ScoreSmoother(smoothingRows));
  return scores.map((score, r) => {
    const smoother = smoothers[batch.device[r]!]!;
    if (!warmUp[r]) return smoother.next(score);
    smoother.reset();
    return Number.NaN;
  });
}

/**
 * A threshold that normal rows stay below: their 99.99th percentile, and above it `margin` times as much as it
 * lies above the median. A quantile, because data held to be normal may still hold a short fault.
 */
export function thresholdAbove(scores: Float32Array, margin: number): number {
  const sorted = scores.filter(Number.isFinite).sort();
  const high = quantile(sorted, 0.9999);
  return Math.min(1, rounded(high + margin * (high - quantile(sorted, 0.5))));
}

/** What the threshold means on rows that the forest has not seen. */
export function measure(
  batch: RecordBatch,
  scores: Float32Array,
  heldOut: Uint8Array,
  threshold: number,
): Metrics {
  const inAlarm = new Uint8Array(batch.schema.devices.length);
  const counted: number[] = [];
  const devices = new Set<number>();
  let alarms = 0;
  let episodes = 0;
  scores.forEach((score, r) => {
    if (!heldOut[r] || Number.isNaN(score)) return;
    const device = batch.device[r]!;
    const alarm = score >= threshold ? 1 : 0;
    counted.push(score);
    devices.add(device);
    alarms += alarm;
    if (alarm > inAlarm[device]!) episodes += 1;
    inAlarm[device] = alarm;
  });
  const sorted = Float32Array.from(counted).sort();
  return {
    heldOutRows: counted.length,
    heldOutDevices: devices.size,
    falseAlarmShare: rounded(alarms / counted.length),
    falseAlarmEpisodes: episodes,
    median: rounded(quantile(sorted, 0.5)),
    p99: rounded(quantile(sorted, 0.99)),
    highest: rounded(sorted.at(-1) ?? 0),
  };
}
