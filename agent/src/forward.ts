import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Outbox, Uplink } from '@edgeward/shared/contracts';
import { isRetryable, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';

export interface ForwardOptions {
  readonly outbox: Outbox;
  readonly uplink: Uplink;
  readonly clock: Clock;
  readonly log: Logger;
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
  const { outbox, uplink, clock, log } = options;
  const backoff = new Backoff(250, 15_000);
  for (;;) {
    try {
      for await (const receipt of uplink.exchange(outbox.entries(stop), deadline)) {
        backoff.reset();
        await outbox.receive(receipt);
      }
      return;
    } catch (error) {
      if (stop.aborted) return;
      const waitMs = backoff.next();
      const level = isRetryable(error) ? 'warn' : 'error';
      log[level]({ error: messageOf(error), waitMs: Math.round(waitMs) }, 'link failed; trying again');
      await clock.sleep(waitMs, stop);
    }
  }
}
