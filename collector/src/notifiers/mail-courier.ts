/**
 * Carries queued mails to the server. A mail is `sent` once the server has said 250 and that is stored; a crash
 * just between the two sends it again, with the same Message-ID. An outage of the server delays all mails, a
 * refusal for now (4xx) only that one; after five days, as mail servers do, a mail is given up.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { setTrace } from '@edgeward/shared/trace/log-scope';
import type { MailQueue } from './mail-queue.js';
import { outgoing, type QueuedMail } from './queued-mail.js';
import { Retries, type RetryTimes } from './retries.js';
import type { MailOutcome, MailSender } from './smtp.js';

export interface MailCourierOptions extends RetryTimes {
  readonly queue: MailQueue;
  readonly sender: MailSender;
  readonly log: Logger;
  readonly clock: Clock;
}

/** How often it is looked whether mails that are held are due: by the clock on the wall, which may be set. */
const heldLookMs = 30_000;

export class MailCourier {
  readonly #options: MailCourierOptions;
  readonly #retries: Retries;

  constructor(options: MailCourierOptions) {
    this.#options = options;
    this.#retries = new Retries(options.clock, options);
  }

  /** Ends on `stop`; a mail that is under way then is broken off and stays queued. */
  async run(stop: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    await queue.open();
    while (!stop.aborted) {
      await queue.releaseDue();
      const mail = this.#retries.next(queue.waiting());
      if (mail) await this.#attempt(mail, stop);
      else await this.#waitForWork(stop);
    }
  }

  async #waitForWork(stop: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    const held = queue.holds ? heldLookMs : Number.POSITIVE_INFINITY;
    const waitMs = Math.min(this.#retries.waitMs(queue.waiting()), held);
    await queue.queued.wait(stop, waitMs);
  }

  async #attempt(mail: QueuedMail, stop: AbortSignal): Promise<void> {
    const { queue, sender, log } = this.#options;
    const { view, pending } = mail;
    setTrace(log, mail.trace);
    try {
      const letter = await queue.letter(view.id);
      if (!letter) return await queue.save(failed(mail, 'its text was lost with a damaged store'));
      const outcome = await sender.send(outgoing(mail, letter), pending, stop);
      this.#retries.answered();
      await queue.save(this.#after(mail, outcome));
    } catch (error) {
      if (stop.aborted) return;
      this.#retries.outage(view.id);
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
      this.#retries.later(mail.view.id);
      return this.#delayed(next, reason ?? 'refused for now');
    }
    this.#retries.forget(mail.view.id);
    if (next.refused.length === 0) return sent(next, clock.now(), null);
    const problem = `refused for ${next.refused.join(', ')}: ${reason ?? 'earlier'}`;
    log.warn({ mail: mail.view.id, reason: problem }, 'a mail was refused');
    return next.refused.length === mail.view.to.length
      ? failed(next, problem)
      : sent(next, clock.now(), problem);
  }

  #delayed(mail: QueuedMail, reason: string): QueuedMail {
    this.#options.queue.delays += 1;
    const ageMs = this.#options.clock.now() - mail.view.createdMs;
    if (this.#retries.isHopeless(mail.attempts + 1, ageMs)) {
      this.#retries.forget(mail.view.id);
      return failed(mail, `given up after five days: ${reason}`);
    }
    return { ...mail, attempts: mail.attempts + 1, view: { ...mail.view, reason } };
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
