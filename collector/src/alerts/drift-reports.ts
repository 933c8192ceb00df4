/** Hands on what gateways say of drift: each report once; after a start those that the journal has kept, too. */
import type { Clock } from '@edgeward/shared/contracts';
import type { Gateways } from '../gateways.js';
import type { IncidentEngine } from './engine.js';

/** As long as an agent waits for a device. */
const goneAfterMs = 7 * 24 * 3_600_000;
/** After a start gateways need a while to come back. */
const graceMs = 3_600_000;

export class DriftReports {
  readonly #gateways: Pick<Gateways, 'all'>;
  readonly #engine: Pick<IncidentEngine, 'drifts'>;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #heeded = new WeakSet<object>();
  /** The last ones of gateways that are gone. */
  readonly #ended = new WeakSet<object>();

  constructor(gateways: Pick<Gateways, 'all'>, engine: Pick<IncidentEngine, 'drifts'>, clock: Clock) {
    this.#gateways = gateways;
    this.#engine = engine;
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  /** Call about once a second. */
  async heed(): Promise<void> {
    const atMs = this.#clock.now();
    for (const { report, reportedMs } of this.#gateways.all()) {
      if (!report) continue;
      const isGone = atMs - (reportedMs ?? Math.min(report.atMs, this.#startMs)) > goneAfterMs;
      if (isGone && atMs - this.#startMs < graceMs) continue;
      const done = isGone ? this.#ended : this.#heeded;
      if (done.has(report)) continue;
      await this.#engine.drifts(isGone ? { ...report, atMs, drifts: [], isGone } : report);
      done.add(report);
    }
  }
}
