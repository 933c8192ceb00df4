import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Entry, Outbox, Uplink } from '@edgeward/shared/contracts';
import { isRetryable, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';

export interface ForwardOptions {
  readonly outbox: Outbox;
  readonly uplink: Uplink;
  readonly clock: Clock;
  readonly log: Logger;
  /** A link broke, or there is none. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/**
 * Moves blocks to the collector and receipts back, link after link, until `stop` fires and all is received.
 * What cannot be sent before the link breaks after `stop`, or before `deadline`, stays in the outbox.
 */
export async function forward(
  options: ForwardOptions,
  stop: AbortSignal,
  deadline: AbortSignal,
): Promise<void> {
  const { outbox, uplink, clock, log, onFailure } = options;
  const backoff = new Backoff(250, 15_000);
  for (;;) {
    try {
      for await (const receipt of uplink.exchange(onceLinked(options, stop), deadline)) {
        backoff.reset();
        outbox.link(true, uplink.roundTripP99Ms);
        await outbox.receive(receipt);
      }
      outbox.link(false);
      return;
    } catch (error) {
      outbox.link(false);
      if (stop.aborted) return;
      onFailure?.(error);
      const waitMs = backoff.next();
      const level = isRetryable(error) ? 'warn' : 'error';
      log[level]({ error: messageOf(error), waitMs: Math.round(waitMs) }, 'link failed; trying again');
      await clock.sleep(waitMs, stop);
    }
  }
}

/** An uplink asks for blocks once it can send them. */
async function* onceLinked(
  { outbox, uplink }: ForwardOptions,
  stop: AbortSignal,
): AsyncGenerator<Entry, void, void> {
  outbox.link(true, uplink.roundTripP99Ms);
  yield* outbox.entries(stop);
}
