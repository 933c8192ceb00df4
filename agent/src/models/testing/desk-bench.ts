/** A desk beside a scorer and a collector that answers as the test wants. */

import { Scorer } from '@edgeward/models/scorer';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { machineBatch } from '@edgeward/models/testing/machine';
import { systemClock } from '@edgeward/shared/clock';
import type { ModelDeployment } from '@edgeward/shared/contracts';
import { type Logger, silentLogger } from '@edgeward/shared/log';
import { type Assignment, bundleIdOf } from '@edgeward/shared/models/manifest';
import { encodePart, type PartAsk, parseAsk } from '@edgeward/shared/models/parts';
import { until } from '../../outbox/testing/outboxes.js';
import { ModelDesk } from '../desk.js';
import { type Notice, openModels } from '../open-models.js';
import { ModelStore } from '../store.js';
import { type Made, ofType } from './real-bundle.js';

/** Usual for 1000 rows; from then on flow falls for 30 of every 100. */
const storm = machineBatch({ rows: 6000, devices: 1, seed: 5 });
const flow = storm.values[1] as Float64Array;
for (let r = 1000; r < flow.length; r++) if (r % 100 < 30) flow[r]! -= 8;

export interface DeskBenchOptions {
  readonly folder: string;
  readonly log?: Logger;
  /** Instead of the store's own. */
  readonly receive?: ModelStore['receive'];
}

export class DeskBench implements AsyncDisposable {
  readonly asks: PartAsk[] = [];
  readonly events: Notice[] = [];
  /** Which bundles it hands out. */
  serves: readonly Made[] = [];
  /** How far the clock went beside the real one. */
  skewMs = 0;
  readonly scorer: Scorer;
  readonly desk: ModelDesk;
  readonly store: ModelStore;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #announced: Uint8Array = new Uint8Array(0);

  private constructor(scorer: Scorer, store: ModelStore, log: Logger) {
    this.scorer = scorer;
    this.store = store;
    const clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() + this.skewMs,
      sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms, signal),
    };
    const onEvent = (event: Notice) => void this.events.push(event);
    const parts = { store, scorer, clock, log, onEvent, configured: new Map(), onChange: () => undefined };
    this.desk = new ModelDesk({ ...parts, engine: 'typescript' });
    this.desk.channel.linked({ ask: payload => this.#answer(payload), crowded: false });
    this.#running = this.desk.run(this.#stop.signal);
  }

  /** As at a start of the agent. */
  static async open({ folder, log = silentLogger, receive }: DeskBenchOptions): Promise<DeskBench> {
    const store = await ModelStore.open(folder, log);
    if (receive) store.receive = receive;
    const events: Notice[] = [];
    const parts = { store, engine: 'typescript' as const, log, folders: [] };
    const { models } = await openModels({ ...parts, onEvent: event => void events.push(event) });
    const bench = new DeskBench(new Scorer({ models, log }), store, log);
    bench.events.push(...events);
    return bench;
  }

  announce(...assignments: readonly Assignment[]): void {
    this.#announced = Buffer.from(JSON.stringify({ assignments }));
    this.again();
  }

  /** What was announced last is announced again. */
  again(): void {
    this.desk.channel.announced(this.#announced);
  }

  async feed(from: number, to: number, type = 'machine'): Promise<void> {
    await this.scorer.process(ofType(type, sliceBatch(storm, from, to)));
  }

  said(type: string): ModelDeployment | undefined {
    return this.desk.deployments.find(one => one.type === type);
  }

  async untilSaid(type: string, state: ModelDeployment['state']): Promise<ModelDeployment> {
    await until(() => this.said(type)?.state === state);
    return this.said(type)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.scorer[Symbol.asyncDispose]();
  }

  #answer(payload: string): void {
    const ask = parseAsk(Buffer.from(payload))!;
    const { bundle, file, offset, bytes } = ask;
    this.asks.push(ask);
    const made = this.serves.find(({ manifest }) => bundleIdOf(manifest) === bundle);
    const data = made?.files[file]?.subarray(offset, offset + bytes);
    if (data) setImmediate(() => this.desk.channel.answered(encodePart({ bundle, file, offset, data })));
  }
}
