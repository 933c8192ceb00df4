/**
 * Carries queued mails to the server. A mail is `sent` once the server has said 250 and that is stored; a crash
 * just between the two sends it again, with the same Message-ID. An outage of the server delays all mails, a
 * refusal for now (4xx) only that one; after five days, as mail servers do, a mail is given up.
 */
import { Backoff } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { setTrace } from '@edgeward/shared/trace/log-scope';
import type { MailQueue } from './mail-queue.js';
import { outgoing, type QueuedMail } from './queued-mail.js';
import type { MailOutcome, MailSender } from './smtp.js';

export interface MailCourierOptions {
  readonly queue: MailQueue;
  readonly sender: MailSender;
  readonly log: Logger;
  readonly clock: Clock;
  /** Waits between tries double from the first to the last. */
  readonly firstRetryMs?: number;
  readonly lastRetryMs?: number;
}

interface Retry {
  readonly backoff: Backoff;
  dueMs: number;
}

/** How often it is looked whether mails that are held are due: by the clock on the wall, which may be set. */
const heldLookMs = 30_000;
const giveUpAfterMs = 5 * 86_400_000;

export class MailCourier {
  readonly #options: MailCourierOptions;
  readonly #retries = new Map<string, Retry>();
  readonly #outage: Retry;

  constructor(options: MailCourierOptions) {
    this.#options = options;
    this.#outage = this.#newRetry();
  }

  /** Ends on `stop`; a mail that is under way then is broken off and stays queued. */
  async run(stop: AbortSignal): Promise<void> {
    await this.#options.queue.open();
    while (!stop.aborted) {
      await this.#options.queue.releaseDue();
      const mail = this.#nextDue();
      if (mail) await this.#attempt(mail, stop);
      else await this.#waitForWork(stop);
    }
  }

  #dueMs(mail: QueuedMail): number {
    return Math.max(this.#outage.dueMs, this.#retries.get(mail.view.id)?.dueMs ?? 0);
  }

  #nextDue(): QueuedMail | undefined {
    const nowMs = this.#options.clock.monotonic();
    return this.#options.queue.waiting().find(mail => this.#dueMs(mail) <= nowMs);
  }

  async #waitForWork(stop: AbortSignal): Promise<void> {
    const { queue, clock } = this.#options;
    const due = Math.min(...queue.waiting().map(mail => this.#dueMs(mail)));
    const waitMs = Math.min(due - clock.monotonic(), queue.holds ? heldLookMs : Number.POSITIVE_INFINITY);
    await queue.queued.wait(stop, waitMs);
  }

  async #attempt(mail: QueuedMail, stop: AbortSignal): Promise<void> {
    const { queue, sender, clock, log } = this.#options;
    const { view, pending } = mail;
    setTrace(log, mail.trace);
    try {
      const letter = await queue.letter(view.id);
      if (!letter) return await queue.save(failed(mail, 'its text was lost with a damaged store'));
      const outcome = await sender.send(outgoing(mail, letter), pending, stop);
      this.#outage.backoff.reset();
      await queue.save(this.#after(mail, outcome));
    } catch (error) {
      if (stop.aborted) return;
      this.#outage.dueMs = clock.monotonic() + this.#outage.backoff.next();
      log.warn({ mail: view.id, reason: messageOf(error) }, 'mails are delayed');
      await queue.save(this.#delayed(mail, messageOf(error)));
    } finally {
      setTrace(log, undefined);
    }
  }

  #after(mail: QueuedMail, { later, refused, reason }: MailOutcome): QueuedMail {
    const { clock, log } = this.#options;
    const next = { ...mail, pending: later, refused: [...mail.refused, ...refused] };
    if (later.length > 0) {
      this.#retryLater(mail.view.id);
      return this.#delayed(next, reason ?? 'refused for now');
    }
    this.#retries.delete(mail.view.id);
    if (next.refused.length === 0) return sent(next, clock.now(), null);
    const problem = `refused for ${next.refused.join(', ')}: ${reason ?? 'earlier'}`;
    log.warn({ mail: mail.view.id, reason: problem }, 'a mail was refused');
    return next.refused.length === mail.view.to.length
      ? failed(next, problem)
      : sent(next, clock.now(), problem);
  }

  #retryLater(id: string): void {
    const retry = this.#retries.get(id) ?? this.#newRetry();
    retry.dueMs = this.#options.clock.monotonic() + retry.backoff.next();
    this.#retries.set(id, retry);
  }

  #delayed(mail: QueuedMail, reason: string): QueuedMail {
    this.#options.queue.delays += 1;
    if (this.#options.clock.now() - mail.view.createdMs > giveUpAfterMs)
      return failed(mail, `given up after five days: ${reason}`);
    return { ...mail, attempts: mail.attempts + 1, view: { ...mail.view, reason } };
  }

  #newRetry(): Retry {
    const { firstRetryMs = 5000, lastRetryMs = 600_000 } = this.#options;
    return { backoff: new Backoff(firstRetryMs, lastRetryMs), dueMs: 0 };
  }
}

function sent(mail: QueuedMail, sentMs: number, reason: string | null): QueuedMail {
  const view = { ...mail.view, state: 'sent' as const, sentMs, reason };
  return { ...mail, view, pending: [], attempts: mail.attempts + 1 };
}

function failed(mail: QueuedMail, reason: string): QueuedMail {
  const view = { ...mail.view, state: 'failed' as const, reason };
  return { ...mail, view, pending: [], attempts: mail.attempts + 1 };
}
