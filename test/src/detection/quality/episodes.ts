/** False alarms on undisturbed rows of data pipelines, one row a second. */
import type { Predictions } from './predictions.js';

/** Rows that are learned from: 20 minutes. */
export const pipelineTrainingRows = 1200;
/** Alarms with no longer pause between them are one episode. */
const bridgedRows = 60;

export interface Episodes {
  readonly hours: number;
  readonly episodes: number;
  readonly alarmRows: number;
}

/** Of all files together. */
export function episodesOf(predictions: Predictions): Episodes {
  const sum = { hours: 0, episodes: 0, alarmRows: 0 };
  for (const rows of predictions.values()) {
    sum.hours += Math.max(0, rows.length - pipelineTrainingRows) / 3600;
    let last = Number.NEGATIVE_INFINITY;
    for (let r = pipelineTrainingRows; r < rows.length; r++) {
      if (!rows[r]) continue;
      sum.alarmRows += 1;
      if (r - last > bridgedRows) sum.episodes += 1;
      last = r;
    }
  }
  return sum;
}
