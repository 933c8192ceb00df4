import { neededData } from '../detection/quality/data.js';
import {
  evaluateTabular,
  extendedFigures,
  meanOf,
  parityFigures,
  type Rankings,
} from '../detection/quality/tabular.js';
import type { Figure } from './figures.js';
import { spreadOf } from './statistics.js';

/** Both forests on the ten sets, and what they reach on each, ten seeds. */
export async function tabularFigures(): Promise<Figure[]> {
  const folder = neededData('tabular');
  const plain = await evaluateTabular(folder, 'isolation');
  const extended = await evaluateTabular(folder, 'extended');
  return [
    ...parityFigures(plain),
    ...extendedFigures(extended),
    ...reached('plain forest', plain),
    ...reached('extended forest', extended),
  ];
}

function reached(forest: string, found: Rankings): Figure[] {
  const medians = [...found].map(([set, seeds]) => ({
    set,
    auc: spreadOf(seeds.map(({ auc }) => auc)).median,
    ap: spreadOf(seeds.map(({ ap }) => ap)).median,
  }));
  const mean = {
    set: 'mean of the sets',
    auc: meanOf(medians.map(({ auc }) => auc)),
    ap: meanOf(medians.map(({ ap }) => ap)),
  };
  return [...medians, mean].flatMap(({ set, auc, ap }) => [
    { name: `${forest}, ${set}: median AUC`, measured: auc },
    { name: `${forest}, ${set}: median average precision`, measured: ap },
  ]);
}
