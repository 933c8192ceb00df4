/** A source that has its columns ready: what the agent does with them is all that it costs. */

import { Beat } from '@edgeward/agent/sources/beat';
import { BatchBuilder, emptyColumn, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock, RecordBatch, Schema, Source, SourcePosition } from '@edgeward/shared/contracts';
import { Plant } from '@edgeward/simulators/plant';

export interface ColumnarOptions {
  /** Readings a block. */
  readonly blockReadings: number;
  /** Readings until the input ends; 0 = nothing is read at all. */
  readonly readings: number;
  /** Time between blocks; 0 = as fast as they are admitted. */
  readonly intervalMs: number;
  /** Blocks at each beat. */
  readonly blocksPerBeat: number;
  /** Devices of the plant, 8 channels each. */
  readonly devices: number;
}

const seed = 1;
/** Different readings before they come again. */
const distinctReadings = 96_000;
/** As devices are polled: a faster beat would make jumps out of their changes. */
const tickMs = 1000;
/** So many readings end about now, however fast they are read. */
const mostReadings = 1e9;

export class ColumnarSource implements Source {
  readonly acknowledges = false;
  readonly #options: ColumnarOptions;
  readonly #clock: Clock;
  readonly #blocks: readonly RecordBatch[];
  readonly #onBlock: (readings: number) => void;
  /** How late each beat came, ms. */
  readonly latenessMs: number[] = [];
  /** Last row number of every device. */
  #row = 0;
  #ticks = 0;
  /** Positions handed over. */
  #positions = 0;
  #newPosition: number | undefined;
  #saveNext = false;

  constructor(options: ColumnarOptions, clock: Clock, onBlock: (readings: number) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#onBlock = onBlock;
    this.#blocks = preparedBlocks(options);
  }

  async *read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    const { intervalMs, blocksPerBeat, blockReadings, readings } = this.#options;
    const startMs = this.#clock.now() - this.#ticksOf(Math.min(readings, mostReadings)) * tickMs;
    const beat = new Beat(Math.max(intervalMs, 1), this.#clock);
    for (let sent = 0; sent < readings && !stop.aborted; ) {
      if (intervalMs) await this.#untilBeat(beat, stop);
      if (this.#saveNext) yield this.#nothing();
      for (let i = 0; i < (intervalMs ? blocksPerBeat : 1) && !stop.aborted; i++) {
        yield this.#next(startMs);
        sent += blockReadings;
        this.#onBlock(blockReadings);
      }
    }
  }

  /** At the next beat it hands over a position and nothing else, so that the agent saves what it knows. */
  save(): void {
    this.#saveNext = true;
  }

  /** A position that came with every block would have every block written. */
  position(): SourcePosition | undefined {
    const n = this.#newPosition;
    this.#newPosition = undefined;
    return n === undefined ? undefined : { n };
  }

  async #untilBeat(beat: Beat, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const dueMs = beat.nextMs;
      const nowMs = this.#clock.monotonic();
      if (beat.comes()) {
        this.latenessMs.push(nowMs - dueMs);
        return;
      }
      await this.#clock.sleep(dueMs - nowMs, stop);
    }
  }

  #nothing(): RecordBatch {
    this.#saveNext = false;
    this.#positions += 1;
    this.#newPosition = this.#positions;
    const [block] = this.#blocks;
    const values = block!.schema.fields.map(field => emptyColumn(field, 0));
    const [time, row] = [new Float64Array(0), new Float64Array(0)];
    return {
      schema: block!.schema,
      time,
      row,
      device: new Uint16Array(0),
      quality: new Uint16Array(0),
      values,
    };
  }

  #ticksOf(readings: number): number {
    return readings / this.#options.devices / 8;
  }

  /** The next prepared block under new times and row numbers. */
  #next(startMs: number): RecordBatch {
    const { devices, blockReadings } = this.#options;
    const ticks = this.#ticksOf(blockReadings);
    const block = this.#blocks[(this.#ticks / ticks) % this.#blocks.length]!;
    const fromMs = startMs + this.#ticks * tickMs;
    const n = block.time.length;
    const time = new Float64Array(n);
    const row = new Float64Array(n);
    for (let i = 0, tick = 0; i < n; tick++) {
      for (let d = 0; d < devices; d++, i++) {
        time[i] = fromMs + tick * tickMs;
        row[i] = this.#row + tick + 1;
      }
    }
    this.#row += ticks;
    this.#ticks += ticks;
    return { ...block, time, row, quality: new Uint16Array(n) };
  }
}

/** Healthy cold rooms, one row of each a tick. */
export function preparedBlocks({ devices: count, blockReadings }: ColumnarOptions): RecordBatch[] {
  const devices = Array.from({ length: count }, (_, i) => ({
    name: `room-${i + 1}`,
    type: 'cold-room' as const,
  }));
  const plant = new Plant({ seed, startMs: Date.UTC(2026, 0, 5), stepMs: 1000, devices, faults: [] });
  const schema: Schema = plant.schemas[0]!;
  const maxRows = blockReadings / schema.fields.length;
  if (maxRows % count)
    throw new TypeError(`${blockReadings} readings are no whole ticks of ${count} devices`);
  const limits = { maxRows, maxAgeMs: Number.POSITIVE_INFINITY };
  const builder = new BatchBuilder(schema, limits, { clock: systemClock, rows: new RowNumbers() });
  const blocks: RecordBatch[] = [];
  while (blocks.length < Math.max(2, distinctReadings / blockReadings)) {
    const { timeMs, rows } = plant.step();
    for (const { device, values } of rows) builder.push(device, timeMs, values);
    if (builder.size >= maxRows) blocks.push(builder.take());
  }
  return blocks;
}
