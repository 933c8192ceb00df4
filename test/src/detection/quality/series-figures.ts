/** What `edgeward evaluate` reaches on public recordings, beside what it must and what it should. */
import type { Figure, Goal } from '../../bench/figures.js';
import { spreadOf } from '../../bench/statistics.js';
import { episodesOf } from './episodes.js';
import { nabFilesIn, type profiles, scoreNab } from './nab.js';
import { evaluate, withFolder } from './predictions.js';
import { shifts, writeShifted } from './shifted-skab.js';
import { type Rates, type SkabScore, scoreSkab, skabFilesIn } from './skab.js';

/** The product's own: from here a metric is in alarm. */
const nabThreshold = 0.5;

interface Goals {
  readonly goal?: Goal;
  readonly aim?: Goal;
}
type RateGoals = Readonly<Partial<Record<keyof Rates, Goals>>>;

const skabGoals: RateGoals = {
  f1: { goal: { atLeast: 0.82 }, aim: { atLeast: 0.85 } },
  farPercent: { goal: { atMost: 18 }, aim: { atMost: 13 } },
  marPercent: { goal: { atMost: 20 }, aim: { atMost: 16 } },
};
const forestGoals: RateGoals = { f1: { goal: { atLeast: 0.8 }, aim: { atLeast: 0.84 } } };
const shiftedGoals: Readonly<Record<(typeof shifts)[number], RateGoals>> = {
  early: { f1: { aim: { atLeast: 0.84 } } },
  normal: { farPercent: { aim: { atMost: 5 } } },
  swap: {},
};

/** All parts, the forest alone, and all parts on shifted copies. A goal holds for the worst of the seeds. */
export async function skabFigures(folder: string, seeds: readonly number[]): Promise<Figure[]> {
  const all = await overSeeds(folder, seeds);
  const forest = await overSeeds(folder, seeds, ['--deciding', 'forest']);
  const { files, found, anomalies, delayS, groups } = all[0]!;
  const figures = [
    ...ratesFigures(`SKAB, ${files} files`, all, skabGoals),
    ...[...groups.keys()].flatMap(group => ratesFigures(`SKAB, ${group}`, groupOf(all, group), {})),
    { name: `SKAB: anomalies found, of ${anomalies}`, measured: found },
    { name: 'SKAB: s from the onset to the first alarm, median of those found', measured: delayS },
    ...ratesFigures('SKAB, forest alone', forest, forestGoals),
  ];
  for (const shift of shifts)
    await withFolder(async into => {
      await writeShifted(folder, shift, into);
      const scores = await overSeeds(into, seeds);
      figures.push(
        ...ratesFigures(`SKAB shifted, ${shift}, ${scores[0]!.files} files`, scores, shiftedGoals[shift]),
      );
    });
  return figures;
}

async function overSeeds(folder: string, seeds: readonly number[], options: readonly string[] = []) {
  const files = await skabFilesIn(folder);
  const scores: SkabScore[] = [];
  for (const seed of seeds)
    scores.push(scoreSkab(files, await evaluate('skab', folder, [...options, '--seed', `${seed}`])));
  return scores;
}

const groupOf = (scores: readonly SkabScore[], group: string) =>
  scores.map(({ groups }) => groups.get(group)!);

function ratesFigures(name: string, seeds: readonly Rates[], goals: RateGoals): Figure[] {
  const texts = { f1: 'F1', farPercent: 'FAR, %', marPercent: 'MAR, %' } as const;
  return (['f1', 'farPercent', 'marPercent'] as const).flatMap(rate => {
    const { median, least, most } = spreadOf(seeds.map(one => one[rate]));
    const worst = rate === 'f1' ? least : most;
    if (seeds.length === 1) return [{ name: `${name}: ${texts[rate]}`, ...goals[rate], measured: worst }];
    return [
      { name: `${name}: ${texts[rate]}, worst of ${seeds.length} seeds`, ...goals[rate], measured: worst },
      { name: `${name}: ${texts[rate]}, median of the seeds`, measured: median },
    ];
  });
}

/** One threshold for all files: the best there is, as in published figures, and the product's own. */
export async function nabFigures(folder: string): Promise<Figure[]> {
  const files = await nabFilesIn(folder);
  const predictions = await evaluate('nab', folder);
  const goals = { goal: { atLeast: 65 }, aim: { atLeast: 71 } };
  return (['standard', 'lowFP', 'lowFN'] as const satisfies (keyof typeof profiles)[]).flatMap(profile => {
    const best = scoreNab(files, predictions, profile);
    const own = scoreNab(files, predictions, profile, nabThreshold);
    const name = `NAB, ${files.length} files, ${profile}`;
    const note = ({ hit, windows, falseRows }: typeof best) =>
      `${hit} of ${windows} windows found, ${falseRows} rows of alarm outside them`;
    const asked = profile === 'standard' ? goals : {};
    return [
      { name: `${name}, best threshold`, ...asked, measured: best.score, note: note(best) },
      { name: `${name}, threshold ${nabThreshold}`, ...asked, measured: own.score, note: note(own) },
    ];
  });
}

export async function pipelineFigures(folder: string): Promise<Figure[]> {
  const { hours, episodes, alarmRows } = episodesOf(await evaluate('pipeline', folder));
  return [
    {
      name: `undisturbed pipelines, ${hours.toFixed(1)} h: episodes of false alarm`,
      goal: { atMost: 2 },
      aim: { atMost: 0 },
      measured: episodes,
    },
    { name: 'the same: rows in alarm', measured: alarmRows },
  ];
}
