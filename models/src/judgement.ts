import type { Evidence } from '@edgeward/shared/contracts';

/** What a model says of a batch. */
export interface Judgement {
  /** [n] NaN where it was not judged: while warming up, or a row that came too late. */
  readonly score: Float32Array;
  /** [n] 1 = in alarm. */
  readonly anomaly: Uint8Array;
  /** [n] 1 = the device has not been seen for long enough. */
  readonly warmUp: Uint8Array;
  readonly evidence: readonly Evidence[];
}

/** An alarm is explained at its first rows, when incidents open, and then now and again: a storm must stay cheap. */
const [explainedFirst, explainedEvery] = [3, 10];

/** @param alarmRows  rows in alarm, with this one; 0 = it is in none */
export function isExplained(alarmRows: number): boolean {
  return alarmRows > 0 && (alarmRows <= explainedFirst || alarmRows % explainedEvery === 0);
}
