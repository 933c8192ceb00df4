/**
 * Mails that wait, were sent, failed, or are only kept because no SMTP server is configured. They enter in the
 * commit of whoever queues them, so that an incident and its mail are stored together or not at all.
 */
import type { Clock, TraceContext } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import type { AlertStore, Operation } from '../alerts/alert-store.js';
import type { MailSpans } from '../trace/mail-spans.js';
import type { MailBody, MailView } from '../views.js';
import type { MailConfig } from './config.js';
import { type MailKind, type MailRequest, mailId, messageId, type RenderedMail, renderMail } from './mail.js';
import { MailCourier } from './mail-courier.js';
import { SmtpSender } from './smtp.js';

/** Where the incident engine puts its mails. */
export interface MailOutlet {
  /** Must be done before the first `prepare`; safe to call twice. */
  open(): Promise<void>;
  /** @returns what to commit, and what to call once that is done; nothing is queued before */
  prepare(requests: readonly MailRequest[]): { readonly operations: readonly Operation[]; committed(): void };
}

export interface MailQueueOptions {
  readonly store: AlertStore;
  readonly config: MailConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly spans?: MailSpans | undefined;
}

export interface QueuedMail {
  readonly view: MailView;
  readonly kind: MailKind;
  /** In what order they were queued. */
  readonly order: number;
  readonly messageId: string;
  readonly references: readonly string[];
  /** Recipients that have neither accepted it nor refused it for good. */
  readonly pending: readonly string[];
  readonly refused: readonly string[];
  readonly attempts: number;
  /** Where its span hangs. */
  readonly trace?: TraceContext;
}

type Listener = (mail: MailView) => void;

const headPrefix = 'mail/';
const bodyPrefix = 'body/';
const maxMails = 1000;

export class MailQueue implements MailOutlet {
  readonly #options: MailQueueOptions;
  readonly #mails = new Map<string, QueuedMail>();
  readonly #listeners = new Set<Listener>();
  /** Opens when a mail was queued. */
  readonly queued = new Gate();
  #loaded: Promise<void> | undefined;
  #lastOrder = 0;
  /** Times that a mail could not be sent, since the start. */
  delays = 0;

  constructor(options: MailQueueOptions) {
    this.#options = options;
  }

  open(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  prepare(requests: readonly MailRequest[]): { operations: Operation[]; committed(): void } {
    const wanted = requests.filter(request => this.#isWanted(request));
    const entries = wanted.map((request, i) => this.#entry(request, this.#lastOrder + 1 + i));
    const old = this.#tooMany(entries.length);
    const operations = [
      ...entries.flatMap(({ mail, body }) => [
        { key: headPrefix + mail.view.id, value: mail },
        { key: bodyPrefix + mail.view.id, value: body },
      ]),
      ...old.flatMap(id => [
        { key: headPrefix + id, value: undefined },
        { key: bodyPrefix + id, value: undefined },
      ]),
    ];
    return {
      operations,
      committed: () =>
        this.#enter(
          entries.map(({ mail }) => mail),
          old,
        ),
    };
  }

  /** Newest first. */
  list(limit: number): MailView[] {
    const all = [...this.#mails.values()].sort((a, b) => b.order - a.order);
    return all.slice(0, limit).map(mail => mail.view);
  }

  /** Those that are stored, by state, and when the oldest that waits was queued, ms. */
  counts(): { readonly byState: Readonly<Record<MailView['state'], number>>; readonly oldestMs?: number } {
    const byState = { kept: 0, queued: 0, sent: 0, failed: 0 };
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { view } of this.#mails.values()) {
      byState[view.state] += 1;
      if (view.state === 'queued') oldestMs = Math.min(oldestMs, view.createdMs);
    }
    return { byState, ...(byState.queued > 0 && { oldestMs }) };
  }

  async body(id: string): Promise<MailBody | undefined> {
    const mail = this.#mails.get(id);
    const body = mail && ((await this.#options.store.get(bodyPrefix + id)) as RenderedMail | undefined);
    return mail && body ? { ...mail.view, text: body.text, html: body.html } : undefined;
  }

  /** As it would be sent. */
  render(request: MailRequest): RenderedMail {
    return renderMail(request, this.#options.config.linkBase);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends what is queued until `stop`; ends at once if there is no SMTP server. */
  async run(stop: AbortSignal): Promise<void> {
    const { config, log, clock } = this.#options;
    if (!config.smtp) return;
    await new MailCourier({ queue: this, sender: new SmtpSender(config.smtp), log, clock }).run(stop);
  }

  /** The next of each incident, oldest first: within a thread none overtakes an earlier one. */
  waiting(): QueuedMail[] {
    const threads = new Set<string>();
    return [...this.#mails.values()]
      .filter(mail => mail.view.state === 'queued')
      .sort((a, b) => a.order - b.order)
      .filter(({ view }) => !threads.has(view.incidentId) && threads.add(view.incidentId));
  }

  /** What the server said stands in memory even if it cannot be stored: a double after a crash beats two now. */
  async save(mail: QueuedMail): Promise<void> {
    this.#keep(mail);
    try {
      await this.#options.store.commit([{ key: headPrefix + mail.view.id, value: mail }]);
    } catch (error) {
      const fields = { mail: mail.view.id, state: mail.view.state, reason: messageOf(error) };
      this.#options.log.error(fields, 'the state of a mail could not be stored');
    }
  }

  async #load(): Promise<void> {
    for (const [id, value] of await this.#options.store.list(headPrefix)) {
      const mail = value as QueuedMail;
      this.#mails.set(id, mail);
      this.#lastOrder = Math.max(this.#lastOrder, mail.order);
    }
  }

  #isWanted({ kind, incident }: MailRequest): boolean {
    if (kind === 'closed' && !this.#options.config.sendClosing) return false;
    return !this.#mails.has(mailId(incident.id, kind));
  }

  #entry(request: MailRequest, order: number): { mail: QueuedMail; body: RenderedMail } {
    const { config, clock } = this.#options;
    const { kind, incident, trace } = request;
    const body = this.render(request);
    const view: MailView = {
      id: mailId(incident.id, kind),
      incidentId: incident.id,
      createdMs: clock.now(),
      sentMs: null,
      state: config.smtp ? 'queued' : 'kept',
      reason: config.smtp ? null : 'no SMTP server is configured',
      from: config.from,
      to: config.to,
      subject: body.subject,
    };
    const references = kind === 'opened' ? [] : [messageId(incident.id, 'opened', config.from)];
    return {
      body,
      mail: {
        view,
        kind,
        order,
        messageId: messageId(incident.id, kind, config.from),
        references,
        pending: config.to,
        refused: [],
        attempts: 0,
        ...(trace && { trace }),
      },
    };
  }

  /** The oldest that nobody waits for, so that the store stays small. */
  #tooMany(more: number): string[] {
    const over = this.#mails.size + more - maxMails;
    if (over <= 0) return [];
    const done = [...this.#mails.values()].filter(mail => mail.view.state !== 'queued');
    return done
      .sort((a, b) => a.order - b.order)
      .slice(0, over)
      .map(mail => mail.view.id);
  }

  #enter(mails: readonly QueuedMail[], old: readonly string[]): void {
    for (const id of old) this.#mails.delete(id);
    for (const mail of mails) {
      this.#lastOrder = Math.max(this.#lastOrder, mail.order);
      this.#keep(mail);
    }
    if (mails.length > 0) this.queued.open();
  }

  #keep(mail: QueuedMail): void {
    this.#options.spans?.changed(mail);
    this.#mails.set(mail.view.id, mail);
    for (const listener of this.#listeners) {
      try {
        listener(mail.view);
      } catch (error) {
        this.#options.log.error({ reason: messageOf(error) }, 'a listener for mails failed');
      }
    }
  }
}
