/**
 * What every source must do, whatever it reads. `sourceConformance` registers the cases; the harness provides the
 * input, the same one each time it is asked for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellOf, RowNumbers } from '@edgeward/shared/batch';
import type { Clock, RecordBatch, Source, SourcePosition } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { z } from 'zod';
import type { SourceContext } from '../sources/define.js';

/** A stop takes no longer than this, ms of real time. */
const promptMs = 1000;
/** Later batches are no different from the first ones; each costs a restart. */
const restartsTried = 40;

/** A definition as the suite sees it: it passes on options that it knows nothing about. */
export interface AnySource {
  readonly type: string;
  readonly config: z.ZodObject;
  create(config: never, context: SourceContext): Source;
}

export interface SourceHarness extends Partial<AsyncDisposable> {
  /** The source's options, as in a configuration file. Small blocks test more. */
  readonly options: Record<string, unknown>;
  /** For sources without an end: how many rows to look at. */
  readonly rows?: number;
  /** How many rows this input was told are safe, for sources that acknowledge upstream. */
  readonly acknowledgedRows?: () => number;
  /** The input gives the same values again to another instance; default true. */
  readonly repeatable?: boolean;
  /** The input gives the same times again, too; default false. */
  readonly repeatsTimes?: boolean;
}

interface Instance {
  readonly source: Source;
  readonly rows: WatchedRows;
}

export function sourceConformance(
  definition: AnySource,
  harness: () => SourceHarness | Promise<SourceHarness>,
): void {
  const cases: Record<string, (bench: Bench) => Promise<void>> = {
    'numbers the rows of each device from 1 without a gap': gapFree,
    'yields batches whose columns agree': columnsAgree,
    'leaves a yielded batch alone': batchesStay,
    'stops at once while it waits, and hands over every row it numbered': stopsWhileWaiting,
    'stops at once between batches': stopsBetweenBatches,
    'yields nothing when stopped before it began': stoppedBefore,
    'reads no row ahead of the batch it yields': noReadAhead,
    'a restart from any stored position loses and doubles nothing': restartsAnywhere,
    'gives the same batch again when storing it failed': sameBatchAgain,
    'instances do not know of each other': independent,
    'the same input gives the same values': repeats,
  };
  for (const [name, run] of Object.entries(cases)) {
    test(`${definition.type}: ${name}`, async () => {
      const input = await harness();
      try {
        await run(new Bench(definition, input));
      } finally {
        await input[Symbol.asyncDispose]?.();
      }
    });
  }
}

/** Makes instances over one input, each like a fresh process. */
class Bench {
  readonly harness: SourceHarness;
  readonly #definition: AnySource;

  constructor(definition: AnySource, harness: SourceHarness) {
    this.#definition = definition;
    this.harness = harness;
  }

  start(position?: SourcePosition, clock: Clock = new FakeClock({ autoAdvance: true })): Instance {
    const rows = new WatchedRows();
    const config = this.#definition.config.parse(this.harness.options);
    const context = { clock, rows, log: silentLogger, position, reject: () => {} };
    return { source: this.#definition.create(config as never, context), rows };
  }

  /** All batches, or as many as hold the rows to look at. */
  async read(source: Source, onBatch: (batch: RecordBatch) => void = () => {}): Promise<RecordBatch[]> {
    const batches: RecordBatch[] = [];
    let rows = 0;
    for await (const batch of source.read(new AbortController().signal)) {
      batches.push(batch);
      rows += batch.row.length;
      onBatch(batch);
      if (rows >= (this.harness.rows ?? Number.POSITIVE_INFINITY)) break;
    }
    assert.ok(rows > 0, 'the harness gave no row');
    return batches;
  }

  /** Rows as text, to compare them. Row numbers start anew with each process and stay out. */
  print(batches: readonly RecordBatch[]): string[] {
    const withTime = this.harness.repeatsTimes === true;
    const rows = batches.flatMap(batch => Array.from(batch.row, (_, i) => printRow(batch, i, withTime)));
    return rows.slice(0, this.harness.rows);
  }
}

function printRow(batch: RecordBatch, i: number, withTime: boolean): string {
  const cells = batch.schema.fields.map((field, f) => `${field.name}=${String(cellOf(batch, f, i))}`);
  const time = withTime ? `@${batch.time[i]} ` : '';
  return `${time}${batch.schema.devices[batch.device[i]!]} ${cells.join(' ')} q${batch.quality[i]}`;
}

async function gapFree(bench: Bench): Promise<void> {
  const last = new Map<string, number>();
  for (const batch of await bench.read(bench.start().source)) {
    batch.row.forEach((row, i) => {
      const device = batch.schema.devices[batch.device[i]!]!;
      assert.equal(row, (last.get(device) ?? 0) + 1, device);
      last.set(device, row);
    });
  }
}

async function columnsAgree(bench: Bench): Promise<void> {
  for (const batch of await bench.read(bench.start().source)) {
    const n = batch.time.length;
    assert.ok(n > 0, 'an empty batch');
    const { device, row, quality, values, missing, fieldQuality, schema } = batch;
    for (const column of [device, row, quality, ...values]) assert.equal(column.length, n);
    for (const columns of [values, missing ?? values, fieldQuality ?? values]) {
      assert.equal(columns.length, schema.fields.length);
    }
    for (const bits of missing ?? []) assert.ok(!bits || bits.length === Math.ceil(n / 8));
    for (const bits of fieldQuality ?? []) assert.ok(!bits || bits.length === n);
    assert.ok(device.every(index => index < schema.devices.length));
    assert.ok(batch.time.every(Number.isFinite));
  }
}

async function batchesStay(bench: Bench): Promise<void> {
  const first: string[] = [];
  const batches = await bench.read(bench.start().source, batch => first.push(freeze(batch)));
  assert.deepEqual(batches.map(freeze), first);
}

/** All of a batch as text. */
function freeze(batch: RecordBatch): string {
  return JSON.stringify(batch, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

async function stopsWhileWaiting(bench: Bench): Promise<void> {
  const clock = new FakeClock();
  const { source, rows } = bench.start(undefined, clock);
  const stop = new AbortController();
  const batches: RecordBatch[] = [];
  const reading = (async () => {
    for await (const batch of source.read(stop.signal)) {
      batches.push(batch);
      if (batches.length === 3) stop.abort();
    }
    stop.abort();
  })();
  // Sources that never wait stop at the third batch.
  await clock.someoneSleeps(stop.signal);
  stop.abort();
  await promptly(reading);
  assertHandedOver(batches, rows);
}

async function stopsBetweenBatches(bench: Bench): Promise<void> {
  const { source, rows } = bench.start();
  const stop = new AbortController();
  const batches: RecordBatch[] = [];
  const reading = (async () => {
    for await (const batch of source.read(stop.signal)) {
      batches.push(batch);
      stop.abort();
    }
  })();
  await promptly(reading);
  assertHandedOver(batches, rows);
}

async function stoppedBefore(bench: Bench): Promise<void> {
  const { source } = bench.start();
  const batches: RecordBatch[] = [];
  await promptly(
    (async () => {
      for await (const batch of source.read(AbortSignal.abort())) batches.push(batch);
    })(),
  );
  assert.deepEqual(batches, []);
}

/** Acknowledging means that nothing beyond the yielded batch was taken from the input for good. */
async function noReadAhead(bench: Bench): Promise<void> {
  const { source, rows } = bench.start();
  if (!source.acknowledges) return;
  const batches: RecordBatch[] = [];
  let returned = 0;
  await bench.read(source, batch => {
    batches.push(batch);
    assertHandedOver(batches, rows);
    assert.ok((bench.harness.acknowledgedRows?.() ?? 0) <= returned, 'acknowledged before it was stored');
    returned += batch.row.length;
  });
}

/** Row numbers that know whom they were given to. */
class WatchedRows extends RowNumbers {
  readonly devices = new Set<string>();

  override next(device: string): number {
    this.devices.add(device);
    return super.next(device);
  }
}

/** Every row that was numbered is in one of the batches. */
function assertHandedOver(batches: readonly RecordBatch[], rows: WatchedRows): void {
  const counts = new Map<string, number>();
  for (const batch of batches) {
    for (const index of batch.device) {
      const device = batch.schema.devices[index]!;
      counts.set(device, (counts.get(device) ?? 0) + 1);
    }
  }
  for (const device of rows.devices) {
    assert.equal(counts.get(device) ?? 0, rows.last(device), `${device}: rows handed over`);
  }
}

async function restartsAnywhere(bench: Bench): Promise<void> {
  const { source } = bench.start();
  if (!source.position) return;
  const stored: string[] = [];
  const batches = await bench.read(source, () => stored.push(JSON.stringify(source.position?.())));
  const whole = bench.print(batches);
  const tried = stored.slice(0, restartsTried);
  for (const [k, position] of tried.entries()) {
    const head = batches.slice(0, k + 1);
    const headRows = head.reduce((sum, batch) => sum + batch.row.length, 0);
    const tail = headRows < whole.length ? await rest(bench, position, whole.length - headRows) : [];
    assert.deepEqual(bench.print([...head, ...tail]), whole, `restarted after batch ${k + 1}: ${position}`);
  }
}

/** What a fresh instance reads from a stored position on. */
async function rest(bench: Bench, position: string, rows: number): Promise<RecordBatch[]> {
  const { source } = bench.start(JSON.parse(position) as SourcePosition);
  const batches: RecordBatch[] = [];
  let read = 0;
  for await (const batch of source.read(new AbortController().signal)) {
    batches.push(batch);
    read += batch.row.length;
    if (bench.harness.rows !== undefined && read >= rows) break;
  }
  return batches;
}

async function sameBatchAgain(bench: Bench): Promise<void> {
  const { source } = bench.start();
  const stored: RecordBatch[] = [];
  let rows = 0;
  for (let failures = 0, done = false; !done; ) {
    let failed: string | undefined;
    let position: string | undefined;
    try {
      for await (const batch of source.read(new AbortController().signal)) {
        if (failures < 3 && stored.length === failures * 2) {
          failed = freeze(batch);
          position = JSON.stringify(source.position?.());
          failures += 1;
          throw new Error('storing failed');
        }
        stored.push(batch);
        rows += batch.row.length;
        if (rows >= (bench.harness.rows ?? Number.POSITIVE_INFINITY)) break;
      }
      done = true;
    } catch (error) {
      assert.ok(failed !== undefined, String(error));
      const reading = source.read(new AbortController().signal);
      const again = await reading.next();
      await reading.return();
      assert.ok(!again.done, 'nothing came again');
      assert.equal(freeze(again.value), failed);
      assert.equal(JSON.stringify(source.position?.()), position);
    }
  }
  const numbers = new Map<string, number>();
  for (const batch of stored) {
    batch.row.forEach((row, i) => {
      const device = batch.schema.devices[batch.device[i]!]!;
      assert.equal(row, (numbers.get(device) ?? 0) + 1, `${device}: lost or doubled`);
      numbers.set(device, row);
    });
  }
  if (bench.harness.repeatable !== false) {
    assert.deepEqual(bench.print(stored), bench.print(await bench.read(bench.start().source)));
  }
}

async function independent(bench: Bench): Promise<void> {
  if (bench.harness.repeatable === false) return;
  const alone = bench.print(await bench.read(bench.start().source));
  const both = await Promise.all([bench.read(bench.start().source), bench.read(bench.start().source)]);
  for (const batches of both) assert.deepEqual(bench.print(batches), alone);
  for (const batches of both) assert.equal(batches[0]?.row[0], 1);
}

async function repeats(bench: Bench): Promise<void> {
  if (bench.harness.repeatable === false) return;
  const first = bench.print(await bench.read(bench.start().source));
  assert.deepEqual(bench.print(await bench.read(bench.start().source)), first);
}

/** Fails the test if it takes longer than a stop may, in real time. */
async function promptly(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not stop within ${promptMs} ms`)), promptMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
