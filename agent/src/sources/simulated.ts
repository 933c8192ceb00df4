import { BatchBuilder } from '@edgeward/shared/batch';
import type { RecordBatch, Source } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Plant, ScheduledFault } from '@edgeward/simulators/plant';
import { Beat } from './beat.js';
import { defineSource, type SourceContext } from './define.js';
import { Handover } from './handover.js';
import { loadOptional } from './optional-package.js';
import { type SimulatedConfig, simulatedConfig } from './simulated-config.js';

export type InjectedFault = Omit<ScheduledFault, 'atS'>;

/** A source that can be told to break something. */
export interface Injectable {
  /**
   * Takes effect with the next row.
   * @throws EW_CONFIG_INVALID for a fault that there cannot be, EW_SOURCE_UNAVAILABLE before the first row
   */
  inject(fault: InjectedFault): void;
}

export function isInjectable(source: Source): source is Source & Injectable {
  return 'inject' in source && typeof source.inject === 'function';
}

/** Devices of a seeded plant, as if they were polled. */
export const simulated = defineSource({
  type: 'simulated',
  config: simulatedConfig,
  create: (config, context) => new Simulated(config, context),
});

/** Faults of a scenario are planned for so long, simulated s; a run that lasts longer ends without any. */
const scenarioS = 90 * 24 * 3600;

interface Running {
  readonly plant: Plant;
  readonly beat: Beat;
  readonly types: readonly TypeRows[];
}

/** Rows of one device type on their way into a block. */
interface TypeRows {
  readonly builder: BatchBuilder;
  /** When the oldest of them was read, on the monotonic clock; Infinity = there is none. */
  openedMs: number;
}

function takeFrom(type: TypeRows): RecordBatch {
  type.openedMs = Number.POSITIVE_INFINITY;
  return type.builder.take();
}

class Simulated implements Source, Injectable {
  readonly acknowledges = false;
  readonly #config: SimulatedConfig;
  readonly #context: SourceContext;
  readonly #handover = new Handover();
  /** Outlives one `read`, so that nothing is lost or told twice when it is re-entered. */
  #running: Running | undefined;

  constructor(config: SimulatedConfig, context: SourceContext) {
    this.#config = config;
    this.#context = context;
  }

  inject(fault: InjectedFault): void {
    if (!this.#running) throw new EdgewardError('EW_SOURCE_UNAVAILABLE', 'The plant has not started yet.');
    this.#running.plant.inject(fault);
  }

  async *read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    yield* this.#handover.again();
    if (stop.aborted) return;
    this.#running ??= await this.#start();
    const { plant, beat, types } = this.#running;
    const { clock } = this.#context;
    while (!stop.aborted) {
      if (beat.comes()) this.#poll(plant, types);
      for (const type of types) if (type.builder.ready()) yield* this.#handover.hand(takeFrom(type));
      const flushMs = Math.min(...types.map(({ openedMs }) => openedMs)) + this.#config.lingerMs;
      await clock.sleep(Math.min(beat.nextMs, flushMs) - clock.monotonic(), stop);
    }
    for (const type of types) if (type.builder.size > 0) yield* this.#handover.hand(takeFrom(type));
  }

  #poll(plant: Plant, types: readonly TypeRows[]): void {
    const { clock } = this.#context;
    const tick = plant.step();
    const timeMs = this.#config.time === 'simulated' ? tick.timeMs : clock.now();
    for (const { schema, device, values } of tick.rows) types[schema]!.builder.push(device, timeMs, values);
    for (const type of types) {
      if (type.builder.size > 0) type.openedMs = Math.min(type.openedMs, clock.monotonic());
    }
  }

  async #start(): Promise<Running> {
    const { Plant } = await loadOptional('@edgeward/simulators', () => import('@edgeward/simulators/plant'));
    const { seed, stepMs, devices, startTime, intervalMs, batchRows, lingerMs } = this.#config;
    const startMs = startTime === undefined ? this.#context.clock.now() : Date.parse(startTime);
    const plant = new Plant({ seed, startMs, stepMs, devices, faults: await this.#faults() });
    const limits = { maxRows: batchRows, maxAgeMs: lingerMs };
    const types = plant.schemas.map(schema => ({
      builder: new BatchBuilder(schema, limits, this.#context),
      openedMs: Number.POSITIVE_INFINITY,
    }));
    return { plant, beat: new Beat(intervalMs, this.#context.clock), types };
  }

  async #faults(): Promise<ScheduledFault[]> {
    const { scenario, faults, devices, seed } = this.#config;
    if (scenario === 'normal') return faults;
    const { scenarioOf } = await loadOptional(
      '@edgeward/simulators',
      () => import('@edgeward/simulators/scenarios'),
    );
    return [...scenarioOf(scenario)(devices, seed, scenarioS), ...faults];
  }
}
