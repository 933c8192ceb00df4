/** A plant that was killed with much in its stores, to be broken and started again, again and again. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { until } from '../support/processes.js';
import { faults } from './oracle.js';
import { type Ledger, Plant, type PlantEvent } from './plant.js';

export type StoreName = 'outbox' | 'journal';

const partBytes = 12_000;

/** What is told after a damage, by whatever means a user has. */
interface Told {
  readonly ledger: Ledger;
  readonly events: readonly PlantEvent[];
  readonly complaints: readonly string[];
}

export class DamagedPlant implements AsyncDisposable {
  readonly #plant: Plant;
  readonly #copy: string;

  private constructor(plant: Plant) {
    this.#plant = plant;
    this.#copy = path.join(plant.bench.folder, 'copy');
  }

  /**
   * Some rows have gone all the way; of what came then, part is in tables and part in the log of the store.
   * @param store  which of them is to have rows that nobody else has
   */
  static async prepare(store: StoreName): Promise<DamagedPlant> {
    const damaged = new DamagedPlant(await Plant.create({ rowsPerDevice: 5000, rowsPerSecond: 300 }));
    const plant = damaged.#plant;
    plant.startBoth();
    await plant.untilStored(300);
    await (store === 'outbox' ? damaged.#fillOutbox() : damaged.#fillJournal());
    plant.hurry();
    for (const folder of damaged.#folders()) cpSync(folder, damaged.#saved(folder), { recursive: true });
    return damaged;
  }

  /** LevelDB turns a log into tables when it opens: so one part before a restart and one behind it. */
  async #fillOutbox(): Promise<void> {
    const plant = this.#plant;
    await plant.kill('collector');
    await plant.kill('agent');
    for (const part of [1, 2]) {
      const before = plant.outboxBytes();
      plant.start('agent');
      await until(`part ${part} is in the outbox`, async () => plant.outboxBytes() > before + partBytes);
      await plant.kill('agent');
    }
  }

  async #fillJournal(): Promise<void> {
    const plant = this.#plant;
    this.#blockSink(true);
    for (const part of [1, 2]) {
      await plant.untilMore(400);
      await plant.kill('collector');
      if (part === 1) plant.start('collector');
    }
    await plant.kill('agent');
    this.#blockSink(false);
  }

  /** A folder in the way of the sink's next checkpoint: it cannot commit, and the journal has rows that it has not. */
  #blockSink(blocked: boolean): void {
    const obstacle = path.join(this.#plant.sinkFolder, 'checkpoint.json.tmp');
    if (blocked) mkdirSync(obstacle);
    else rmSync(obstacle, { recursive: true });
  }

  store(name: StoreName): string {
    const { agentFolder, collectorFolder } = this.#plant;
    return path.join(name === 'outbox' ? agentFolder : collectorFolder, name);
  }

  /** All as it was before the damage. */
  restore(): void {
    for (const folder of this.#folders()) {
      rmSync(folder, { recursive: true, force: true });
      cpSync(this.#saved(folder), folder, { recursive: true });
    }
  }

  /** Starts both, plays the rest, and holds what the sink has against what was told. */
  async assertNothingSilent(): Promise<void> {
    this.#plant.startBoth();
    try {
      await this.#assertTold();
    } finally {
      await this.#plant.killBoth();
    }
  }

  async #assertTold(): Promise<void> {
    const plant = this.#plant;
    await this.#playedOut();
    const told = {
      ledger: await plant.ledger(),
      events: await plant.events(),
      complaints: await plant.complaints(),
    };
    await plant.stop('agent');
    await plant.stop('collector');
    const { missing, doubled, ...never } = plant.verdict();
    assert.deepEqual(
      faults({ ...never, missing: [], doubled: [] }),
      [],
      'nothing made up, altered or reused',
    );
    if (missing.length > lossesIn(told) || doubled.length > 0)
      assert.ok(isTold(told), `${missing.length} missing, ${doubled.length} doubled, and not a word of it`);
  }

  /** The last rows have come, so all before them has come or never will. */
  async #playedOut(): Promise<void> {
    const plant = this.#plant;
    const { devices, rowsPerDevice } = plant.expected;
    const ended = () =>
      new Set(plant.sinkRows().flatMap(row => (row.values.n === rowsPerDevice - 1 ? row.device : [])));
    await until('the last rows are in the sink', async () => ended().size === devices.length).catch(
      (error: unknown) => {
        for (const victim of ['agent', 'collector'] as const)
          console.error(plant.process(victim).stderr.slice(-3000));
        throw error;
      },
    );
    await until('the outbox is empty', async () => {
      const blocks = await plant.metric('gateway_outbox_blocks{gateway="gateway-1"}');
      return blocks === 0 && (await plant.ledger()).devices.every(({ inFlight }) => inFlight === 0);
    });
  }

  #folders(): string[] {
    const { agentFolder, collectorFolder, sinkFolder } = this.#plant;
    return [agentFolder, collectorFolder, sinkFolder];
  }

  #saved(folder: string): string {
    return path.join(this.#copy, path.basename(folder));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#plant[Symbol.asyncDispose]();
  }
}

function lossesIn({ ledger }: Told): number {
  return ledger.devices.reduce((sum, { damaged, dropped }) => sum + damaged + dropped, 0);
}

function isTold({ ledger, events, complaints }: Told): boolean {
  return !ledger.balanced || events.some(({ kind }) => kind === 'damage') || complaints.length > 0;
}
