import { neededData } from '../detection/quality/data.js';
import { disturbedShare, lossOf, skabRecordings } from '../detection/quality/losses.js';
import { nabFigures, pipelineFigures, skabFigures } from '../detection/quality/series-figures.js';
import type { Figure } from './figures.js';

/** Public recordings, over several seeds where there is a forest. */
export async function benchSkab(): Promise<Figure[]> {
  const folder = neededData('skab');
  const { loss } = await lossOf(await skabRecordings(folder), 1);
  return [
    ...(await skabFigures(folder, [1, 2, 3, 4, 5, 6, 7, 8])),
    {
      name: `SKAB, ${100 * disturbedShare} % of the rows lost or late: F1 lost, mean of 8 draws`,
      goal: { atMost: 0.01 },
      measured: loss,
    },
  ];
}

export const benchNab = (): Promise<Figure[]> => nabFigures(neededData('nab'));
export const benchPipeline = (): Promise<Figure[]> => pipelineFigures(neededData('pipeline'));
