import type { Delivery, Note, ReadLimits, Sink } from '@edgeward/shared/contracts';

/** One call of `write`. */
export interface Call {
  readonly deliveries: readonly Delivery[];
  readonly notes: readonly Note[];
  readonly signal: AbortSignal;
}

/** Keeps what `act` does not refuse, in order, each block once however often it is written. */
export class ScriptedSink implements Sink {
  readonly kept: Delivery[] = [];
  readonly calls: Call[] = [];
  readonly limits?: ReadLimits;
  readonly takesNotes?: boolean;
  readonly #act: (call: Call, nth: number) => Promise<void> | void;
  #running = 0;
  /** Calls that ran at the same time, at most. */
  atOnce = 0;

  constructor(
    act: (call: Call, nth: number) => Promise<void> | void = () => undefined,
    more: { readonly limits?: ReadLimits } = {},
  ) {
    this.#act = act;
    if (more.limits) this.limits = more.limits;
  }

  get seqs(): number[] {
    return this.kept.map(({ seq }) => seq);
  }

  async write(
    deliveries: readonly Delivery[],
    _after: unknown,
    signal: AbortSignal,
    notes: readonly Note[] = [],
  ): Promise<void> {
    const call = { deliveries, notes, signal };
    this.calls.push(call);
    this.#running += 1;
    this.atOnce = Math.max(this.atOnce, this.#running);
    try {
      await this.#act(call, this.calls.length);
      const known = new Set(this.kept.map(({ position, batch }) => `${position} ${batch.row[0]}`));
      this.kept.push(
        ...deliveries.filter(({ position, batch }) => !known.has(`${position} ${batch.row[0]}`)),
      );
    } finally {
      this.#running -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
