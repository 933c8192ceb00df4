/** Rows for the codec bench, cut into blocks as an agent would cut them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { BatchBuilder, RowNumbers, type Value } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch, Schema } from '@edgeward/shared/contracts';
import { type DeviceType, Plant } from '@edgeward/simulators/plant';
import { shippedScorer } from '../detection/shipped-models.js';

export interface CodecInput {
  readonly name: string;
  /** Readings a block: rows × fields. */
  readonly readings: number;
  readonly blocks: readonly RecordBatch[];
}

/** One row of every device at one time. */
interface Tick {
  readonly timeMs: number;
  readonly rows: readonly (readonly Value[])[];
}

export const blockSizes = [80, 480, 4800] as const;
/** Readings of one input at least; enough blocks to find a mean. */
const wanted = 48_000;
const seed = 1;
/** Scores are not all alike until models and smoothers have warmed up. */
const warmUpTicks = 600;

const plants: readonly { type: DeviceType; devices: number }[] = [
  { type: 'cold-room', devices: 10 },
  { type: 'pump', devices: 8 },
];
export type Scores = 'none' | 'rounded' | 'full';

/** Healthy plants with 80 readings a tick, one tick a second. */
export async function plantInputs(scores: readonly Scores[]): Promise<CodecInput[]> {
  const inputs: CodecInput[] = [];
  for (const { type, devices } of plants) {
    for (const readings of blockSizes) {
      const plain = plantBlocks(type, devices, readings);
      const scored = scores.some(kind => kind !== 'none') ? await scoredBlocks(plain.blocks) : [];
      for (const kind of scores) {
        const all = kind === 'none' ? plain.blocks : kind === 'full' ? scored : scored.map(rounded);
        const name = `${devices} ${type}s${kind === 'none' ? '' : `, ${kind} scores`}`;
        inputs.push({ name, readings, blocks: all.slice(plain.warmUp) });
      }
    }
  }
  return inputs;
}

function plantBlocks(type: DeviceType, count: number, readings: number) {
  const devices = Array.from({ length: count }, (_, i) => ({ name: `${type}-${i + 1}`, type }));
  const plant = new Plant({ seed, startMs: Date.UTC(2026, 0, 5), stepMs: 1000, devices, faults: [] });
  const [schema] = plant.schemas;
  if (!schema) throw new TypeError('a plant without a schema');
  const ticks = function* (): Generator<Tick> {
    for (let left = warmUpTicks + wanted / 80; left > 0; left--) {
      const { timeMs, rows } = plant.step();
      yield { timeMs, rows: rows.map(row => [...row.values]) };
    }
  };
  const warmUp = Math.ceil((warmUpTicks * 80) / readings);
  return { blocks: cut(schema, ticks(), readings), warmUp };
}

function cut(schema: Schema, ticks: Iterable<Tick>, readings: number): RecordBatch[] {
  const maxRows = readings / schema.fields.length;
  const limits = { maxRows, maxAgeMs: Number.POSITIVE_INFINITY };
  const builder = new BatchBuilder(schema, limits, { clock: systemClock, rows: new RowNumbers() });
  const blocks: RecordBatch[] = [];
  for (const { timeMs, rows } of ticks) {
    for (const [device, values] of rows.entries()) builder.push(device, timeMs, values);
    if (builder.size >= maxRows) blocks.push(builder.take());
  }
  return blocks;
}

async function scoredBlocks(blocks: readonly RecordBatch[]): Promise<RecordBatch[]> {
  await using scorer = await shippedScorer();
  const scored: RecordBatch[] = [];
  for (const block of blocks) scored.push(await scorer.process(block));
  return scored;
}

/** What the codec would be given if the scorer rounded to four decimals. */
function rounded(batch: RecordBatch): RecordBatch {
  if (!batch.score) return batch;
  return { ...batch, score: batch.score.map(score => Math.round(score * 1e4) / 1e4) };
}

/**
 * The first ten recordings, or as many as there are, of the SKAB water pump, side by side as devices.
 * @param folder  the data set's `data`: not part of this repository
 */
export function skabInputs(folder: string): CodecInput[] {
  const directory = path.join(folder, 'valve1');
  if (!existsSync(directory)) throw new TypeError(`there is no ${directory}: give the folder of SKAB's data`);
  const files = readdirSync(directory)
    .filter(name => name.endsWith('.csv'))
    .slice(0, 10);
  const tables = files.map(name => skabTable(path.join(directory, name)));
  const fields = tables[0]!.names.map(name => ({ name, kind: 'float' }) as const);
  const schema = { type: 'skab', fields, devices: files.map((_, i) => `pump-${i + 1}`) };
  const length = Math.min(...tables.map(({ rows }) => rows.length));
  const readings = 4800;
  // Every recording has its own times, as pumps with loggers of their own would.
  const limits = { maxRows: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY };
  const builder = new BatchBuilder(schema, limits, { clock: systemClock, rows: new RowNumbers() });
  const blocks: RecordBatch[] = [];
  for (let i = 0; i < length; i++) {
    for (const [device, { rows }] of tables.entries()) builder.push(device, rows[i]!.timeMs, rows[i]!.values);
    if (builder.size * fields.length >= readings) blocks.push(builder.take());
  }
  return [{ name: `SKAB, ${files.length} pumps`, readings, blocks }];
}

function skabTable(file: string) {
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const names = head!
    .split(';')
    .slice(1, 9)
    .map(name => name.replace(/ /g, ''));
  const rows = lines.map(line => {
    const [time, ...cells] = line.split(';');
    return { timeMs: Date.parse(`${time!.replace(' ', 'T')}Z`), values: cells.slice(0, 8).map(Number) };
  });
  return { names, rows };
}
