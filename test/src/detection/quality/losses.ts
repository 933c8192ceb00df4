/** What a model makes of rows of which some are lost and some come late. */
import { readFile } from 'node:fs/promises';
import { groupedCsvFilesIn } from '@edgeward/models/evaluate/numeric-csv';
import { isoTime, readSeries } from '@edgeward/models/evaluate/series';
import { scoreForest } from '@edgeward/models/isolation-forest';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { forestFeatures } from '@edgeward/models/stream/channel-model';
import { ChannelRun } from '@edgeward/models/stream/channel-run';
import { type TrainedChannels, trainChannels } from '@edgeward/models/stream/train-channels';
import type { Detector, RecordBatch } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { parseSkab, ratesOf, trainingRows } from './skab.js';

const settings = { seed: 1, trees: 100, samples: 256, alarmsADay: 0.1, holdRows: 1 };
/** A late row comes after so many later ones, at most. */
const latest = 20;
const rowsABatch = 64;
export const disturbedShare = 0.05;
/** The loss of one draw of rows says little: on SKAB it was up to 0.012 over 100 draws, 0.003 in the mean. */
const draws = 8;

/** Numbers of the rows that arrive, in the order they do: of the share that is disturbed one half is lost, one half late. */
export function arrivals(rows: number, share: number, rng: () => number): number[] {
  const places: { row: number; place: number }[] = [];
  for (let row = 0; row < rows; row++) {
    const chance = rng();
    if (chance < share / 2) continue;
    const late = chance < share ? 1 + Math.floor(rng() * latest) : 0;
    // Behind the row that is there already.
    places.push({ row, place: late > 0 ? row + late + 0.5 : row });
  }
  return places.sort((a, b) => a.place - b.place).map(({ row }) => row);
}

function learn(batch: RecordBatch, rows: number): TrainedChannels {
  return trainChannels(sliceBatch(batch, 0, rows), settings);
}

/**
 * What stands at each row of a device, as its time comes: a row that did not come, or came too late, changes nothing.
 * @param order  numbers of the rows that arrive
 * @returns      [rows of the batch] 1 = in alarm
 */
async function standing(
  { model, forest }: TrainedChannels,
  batch: RecordBatch,
  order: readonly number[],
): Promise<Float64Array> {
  const detector: Detector = {
    features: forestFeatures(model.plan),
    revision: 'test',
    async score(x, n) {
      const scores = new Float32Array(n);
      scoreForest(forest, x, n, scores);
      return scores;
    },
    async [Symbol.asyncDispose]() {},
  };
  const run = new ChannelRun({ model, detector });
  const alarms = new Float64Array(batch.time.length).fill(Number.NaN);
  let newest = -1;
  for (let from = 0; from < order.length; from += rowsABatch) {
    const rows = order.slice(from, from + rowsABatch);
    const { anomaly } = await run.judge(gathered(batch, rows));
    for (const [i, row] of rows.entries()) {
      if (row > newest) alarms[row] = anomaly[i]!;
      newest = Math.max(newest, row);
    }
  }
  for (let r = 0; r < alarms.length; r++) if (Number.isNaN(alarms[r])) alarms[r] = alarms[r - 1] ?? 0;
  return alarms;
}

const everyRow = ({ time }: RecordBatch) => [...time.keys()];

function disturbed({ time }: RecordBatch, seed: number): number[] {
  return arrivals(time.length, disturbedShare, seededRng(seed));
}

export interface Recording {
  readonly batch: RecordBatch;
  readonly labels: readonly number[];
  readonly learned: number;
}

/** F1 of undisturbed rows, and its mean loss over the draws. */
export async function lossOf(recordings: readonly Recording[], seed: number) {
  const known = recordings.map(one => ({ ...one, model: learn(one.batch, one.learned) }));
  const f1 = async (orderOf: (batch: RecordBatch, number: number) => readonly number[]) => {
    const judged = known.map(async ({ batch, labels, learned, model }, i) => {
      const alarms = await standing(model, batch, orderOf(batch, i));
      return { labels: labels.slice(learned), alarms: alarms.slice(learned) };
    });
    return ratesOf(await Promise.all(judged)).f1;
  };
  const whole = await f1(everyRow);
  let loss = 0;
  for (let draw = 0; draw < draws; draw++)
    loss += whole - (await f1((batch, i) => disturbed(batch, seed + 100 * draw + i)));
  return { whole, loss: loss / draws };
}

export async function skabRecordings(folder: string): Promise<Recording[]> {
  const csv = {
    separator: ';',
    leaveOut: new Set(['anomaly', 'changepoint']),
    time: { column: 'datetime', read: isoTime },
  };
  const files = (await groupedCsvFilesIn([folder])).map(async ({ path }) => ({
    batch: await readSeries(path, csv),
    labels: parseSkab(await readFile(path, 'utf8')).labels,
    learned: trainingRows,
  }));
  return await Promise.all(files);
}

function gathered(batch: RecordBatch, rows: readonly number[]): RecordBatch {
  const pick = (column: ArrayLike<unknown>) => Float64Array.from(rows, row => Number(column[row]));
  return {
    ...batch,
    time: pick(batch.time),
    device: new Uint16Array(rows.length),
    row: pick(batch.row),
    values: batch.values.map(pick),
    quality: new Uint16Array(rows.length),
  };
}
