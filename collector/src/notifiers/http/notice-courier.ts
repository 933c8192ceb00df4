/**
 * Carries what is queued for one notifier to its server. A notice is `sent` once the server has answered 2xx and that is
 * stored; a crash or a cut between the two sends it again, with the same delivery id.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { setTrace } from '@edgeward/shared/trace/log-scope';
import { Retries, type RetryTimes } from '../retries.js';
import type { IncidentEvent } from './event.js';
import { changed, type QueuedNotice } from './notice.js';
import type { NoticeQueue } from './notice-queue.js';
import { type Outcome, post } from './post.js';
import type { Target } from './target.js';

export interface NoticeCourierOptions extends RetryTimes {
  readonly queue: NoticeQueue;
  readonly log: Logger;
  readonly clock: Clock;
}

/** How often it is looked whether quiet hours are over: by the clock on the wall, which may be set. */
const heldLookMs = 30_000;

/** One try. Never throws but on `stop`: what is wrong with url or secrets delays, too, until somebody corrects it. */
export async function attempt(
  target: Target,
  event: IncidentEvent,
  stop: AbortSignal,
  nowMs: number,
): Promise<Outcome> {
  try {
    return await post(target, await target.request(event, nowMs), stop, nowMs);
  } catch (error) {
    stop.throwIfAborted();
    // Ours never have a secret in their text; of others, as of a header that Node refuses, nobody knows.
    const reason = error instanceof EdgewardError ? messageOf(error) : 'the request could not be made';
    return { kind: 'later', wide: true, reason, afterMs: 0 };
  }
}

export class NoticeCourier {
  readonly #options: NoticeCourierOptions;
  readonly #retries: Retries;

  constructor(options: NoticeCourierOptions) {
    this.#options = options;
    this.#retries = new Retries(options.clock, options);
  }

  /** Ends on `stop`; what is under way then is broken off and stays queued. */
  async run(stop: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    await queue.open();
    while (!stop.aborted) {
      await queue.releaseDue();
      const notice = this.#retries.next(queue.waiting());
      if (notice) await this.#carry(notice, stop);
      else await this.#waitForWork(stop);
    }
  }

  async #waitForWork(stop: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    const held = queue.holds ? heldLookMs : Number.POSITIVE_INFINITY;
    await queue.queued.wait(stop, Math.min(this.#retries.waitMs(queue.waiting()), held));
  }

  async #carry(notice: QueuedNotice, stop: AbortSignal): Promise<void> {
    const { queue, clock, log } = this.#options;
    const { view } = notice;
    setTrace(log, notice.trace);
    try {
      const event = await queue.event(view.id);
      const outcome: Outcome = event
        ? await attempt(queue.target, event, stop, clock.now())
        : { kind: 'refused', reason: 'what it was to say was lost with a damaged store' };
      await queue.save(this.#after(notice, outcome));
    } catch (error) {
      if (stop.aborted) return;
      // The store cannot be read now.
      this.#retries.outage(view.id);
      log.warn({ notifier: view.notifier, reason: messageOf(error) }, 'notifications are delayed');
    } finally {
      setTrace(log, undefined);
    }
  }

  #after(notice: QueuedNotice, outcome: Outcome): QueuedNotice {
    const { clock, log, queue } = this.#options;
    const { id, notifier, createdMs, attempts } = notice.view;
    const tried = attempts + 1;
    if (outcome.kind === 'later') {
      const { reason, wide, afterMs } = outcome;
      queue.delays += 1;
      if (wide) this.#retries.outage(id, afterMs);
      else {
        this.#retries.answered();
        this.#retries.later(id, afterMs);
      }
      log.warn({ notifier, notice: id, reason }, 'a notification is delayed');
      if (!this.#retries.isHopeless(tried, clock.now() - createdMs))
        return changed(notice, { reason, attempts: tried });
      this.#retries.forget(id);
      return changed(notice, {
        state: 'failed',
        attempts: tried,
        reason: `given up after five days: ${reason}`,
      });
    }
    this.#retries.answered();
    this.#retries.forget(id);
    if (outcome.kind === 'sent')
      return changed(notice, { state: 'sent', sentMs: clock.now(), reason: null, attempts: tried });
    log.warn({ notifier, notice: id, reason: outcome.reason }, 'a notification was refused');
    return changed(notice, { state: 'failed', reason: outcome.reason, attempts: tried });
  }
}
