import type { Clock } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import type { SourceContext } from './define.js';
import type { HttpIntake } from './http-intake.js';

const everyMs = 1000;

/** Tells ledger and log of refused points, in sums, so that a client that sends nonsense fills neither. */
export class HttpRejects {
  readonly #context: Pick<SourceContext, 'log' | 'reject'>;
  readonly #clock: Clock;
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #statuses = new Map<number, number>();
  #waiting = false;

  constructor(context: Pick<SourceContext, 'clock' | 'log' | 'reject'>) {
    this.#context = context;
    this.#clock = context.clock;
  }

  /** Points of devices that have had rows or are declared; others belong to nobody's ledger. */
  add({ rejects }: HttpIntake, stop: AbortSignal): void {
    for (const [{ name }, reasons] of rejects) {
      const counts = getOrMake(this.#counts, name, () => new Map<string, number>());
      for (const [reason, count] of reasons) counts.set(reason, (counts.get(reason) ?? 0) + count);
    }
    if (rejects.size > 0) this.#tellSoon(stop);
  }

  /** A request that was answered with an error. */
  refused(status: number, stop: AbortSignal): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    this.#tellSoon(stop);
  }

  tell(): void {
    for (const [device, reasons] of this.#counts)
      for (const [reason, count] of reasons) this.#context.reject(device, count, reason);
    this.#counts.clear();
    if (this.#statuses.size > 0)
      this.#context.log.warn({ statuses: Object.fromEntries(this.#statuses) }, 'requests refused');
    this.#statuses.clear();
  }

  #tellSoon(stop: AbortSignal): void {
    if (this.#waiting) return;
    this.#waiting = true;
    void this.#clock.sleep(everyMs, stop).then(() => {
      this.#waiting = false;
      this.tell();
    });
  }
}
