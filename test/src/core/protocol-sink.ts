/** A sink that commits its cursor together with the rows; it survives every collector and journal. */
import type { Cursor, Delivery, Rng, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { foundIn } from './protocol-disks.js';
import type { Found, Oracle } from './protocol-oracle.js';
import { forever, type VirtualClock } from './protocol-time.js';

export class ModelSink {
  readonly found: Found[] = [];
  /** Share of writes that fail. */
  failing = 0;
  readonly #clock: VirtualClock;
  readonly #rng: Rng;
  readonly #oracle: Oracle;
  readonly #stored = new Set<string>();
  #cursor: Cursor | undefined;

  constructor(clock: VirtualClock, rng: Rng, oracle: Oracle) {
    this.#clock = clock;
    this.#rng = rng;
    this.#oracle = oracle;
  }

  has(gateway: string, epoch: string, seq: number): boolean {
    return this.#stored.has(`${gateway}/${epoch}/${seq}`);
  }

  /** As one collector process sees it. */
  of(alive: () => boolean): Sink {
    return {
      cursor: async () => this.#cursor,
      write: async (deliveries, cursor) => {
        await this.#clock.sleep(this.#rng() * 50, new AbortController().signal);
        if (!alive() && this.#rng() < 0.5) return forever();
        if (this.#rng() < this.failing) throw new EdgewardError('EW_SINK_WRITE', 'injected');
        this.#store(deliveries);
        this.#cursor = JSON.parse(JSON.stringify(cursor)) as Cursor;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  #store(deliveries: readonly Delivery[]): void {
    for (const { gateway, epoch, seq, batch } of deliveries) {
      const key = `${gateway}/${epoch}/${seq}`;
      if (this.#stored.has(key)) this.#oracle.say(`the sink was given ${key} twice`);
      this.#stored.add(key);
      this.found.push(...foundIn(gateway, epoch, batch));
    }
  }
}
