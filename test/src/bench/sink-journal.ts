/** A journal on disk for benches of sinks: rows of healthy pumps, as agents of several gateways would send them. */
import { Journal } from '@edgeward/collector/journal/journal';
import { BatchBuilder, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire';
import { Plant } from '@edgeward/simulators/plant';

const pumps = 4;
const ticksPerBlock = 12;
const blocksPerCommit = 200;
const seed = 1;
const epoch = '000000001-00000000000000aa';

export interface JournalInput {
  readonly rows: number;
  readonly gateways: number;
}

export function openBenchJournal(directory: string): Promise<Journal> {
  return Journal.open({ directory, keepsColumns: () => true, clock: systemClock, log: silentLogger });
}

/** Fills an empty journal. @returns how many rows it has then: the blocks are whole */
export async function fillJournal(directory: string, { rows, gateways }: JournalInput): Promise<number> {
  await using journal = await openBenchJournal(directory);
  const senders = Array.from({ length: gateways }, (_, i) => new Sender(`gw-${i + 1}`, seed + i));
  let stored = 0;
  while (stored < rows) {
    const blocks = Array.from({ length: blocksPerCommit }, (_, i) => senders[i % gateways]!.next());
    for (const { batch } of blocks) stored += batch.time.length;
    await journal.append(blocks);
  }
  return stored;
}

class Sender {
  readonly #gateway: string;
  readonly #plant: Plant;
  readonly #numbers = new RowNumbers();
  #seq = 0;

  constructor(gateway: string, plantSeed: number) {
    this.#gateway = gateway;
    const devices = Array.from({ length: pumps }, (_, i) => ({
      name: `pump-${i + 1}`,
      type: 'pump' as const,
    }));
    const startMs = Date.now() - 24 * 3600 * 1000;
    this.#plant = new Plant({ seed: plantSeed, startMs, stepMs: 1000, devices, faults: [] });
  }

  next() {
    const [schema] = this.#plant.schemas;
    const limits = { maxRows: 1e6, maxAgeMs: 1e9 };
    const builder = new BatchBuilder(schema!, limits, { clock: systemClock, rows: this.#numbers });
    for (let tick = 0; tick < ticksPerBlock; tick++) {
      const { timeMs, rows } = this.#plant.step();
      for (const { device, values } of rows) builder.push(device, timeMs, values);
    }
    this.#seq += 1;
    const id = { epoch, seq: this.#seq, oldestEpoch: epoch, atMs: 1 };
    const bytes = encodeBlock(id, builder.take());
    const block = decodeBlock(bytes, () => describe(schema!));
    return { gateway: this.#gateway, outbox: 'o-1', bytes, ...block, ingestedMs: Date.now(), late: false };
  }
}
