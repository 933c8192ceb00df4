/** All that tells of incidents over HTTP: each with a queue, a courier and troubles of its own. */
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { AlertStore, Operation } from '../../alerts/alert-store.js';
import type { NoticeBody, NoticeState, NoticeView } from '../../views.js';
import type { MailRequest } from '../mail.js';
import { type Outlet, Outlets } from '../outlet.js';
import type { RetryTimes } from '../retries.js';
import { exampleEvent, type NotifyConfig } from './config.js';
import { NoticeCourier } from './notice-courier.js';
import { eventPrefix, NoticeQueue, noticePrefix } from './notice-queue.js';
import { slackTarget, type Target, webhookTarget } from './target.js';

export interface NotifiersOptions {
  readonly config: NotifyConfig;
  readonly store: AlertStore;
  /** Name of the collector. */
  readonly collector: string;
  readonly linkBase?: string | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  readonly times?: RetryTimes;
}

export function targetsOf({ slack, webhooks }: NotifyConfig): Target[] {
  return [...slack.map(slackTarget), ...webhooks.map(webhookTarget)];
}

export class Notifiers implements Outlet {
  readonly #options: NotifiersOptions;
  readonly #queues: readonly NoticeQueue[];
  readonly #all: Outlets;
  #swept: Promise<void> | undefined;

  constructor(options: NotifiersOptions) {
    this.#options = options;
    this.#queues = targetsOf(options.config).map(target => new NoticeQueue({ ...options, target }));
    this.#all = new Outlets(this.#queues);
  }

  async open(): Promise<void> {
    this.#swept ??= this.#sweep().catch(error => {
      this.#swept = undefined;
      throw error;
    });
    await this.#swept;
    await this.#all.open();
  }

  prepare(requests: readonly MailRequest[]): { operations: Operation[]; committed(): void } {
    return this.#all.prepare(requests);
  }

  async run(stop: AbortSignal): Promise<void> {
    const { log, clock, times } = this.#options;
    await this.open();
    for (const { target } of this.#queues) await this.#look(target);
    await Promise.all(
      this.#queues.map(queue => new NoticeCourier({ queue, log, clock, ...times }).run(stop)),
    );
  }

  /** Newest first. */
  list(limit: number): NoticeView[] {
    const all = this.#queues.flatMap(queue => queue.list());
    return all.sort((a, b) => b.createdMs - a.createdMs).slice(0, limit);
  }

  /** What is sent, without secrets. */
  async body(notifier: string, id: string): Promise<NoticeBody | undefined> {
    const queue = this.#queues.find(({ target }) => target.config.name === notifier);
    const view = queue?.list().find(one => one.id === id);
    const event = view && (await queue?.event(id));
    return view && event && queue ? { ...view, text: queue.target.shown(event) } : undefined;
  }

  onChange(listener: (notice: NoticeView) => void): () => void {
    const endings = this.#queues.map(queue => queue.onChange(listener));
    return () => {
      for (const end of endings) end();
    };
  }

  counts(): readonly (readonly [name: string, state: NoticeState, count: number])[] {
    return this.#queues.flatMap(queue =>
      Object.entries(queue.counts()).map(
        ([state, count]) => [queue.target.config.name, state as NoticeState, count] as const,
      ),
    );
  }

  /** Since the start. */
  totals(): readonly { readonly name: string; readonly lost: number; readonly delays: number }[] {
    return this.#queues.map(({ target, lost, delays }) => ({ name: target.config.name, lost, delays }));
  }

  /** At the start, and not with the first incident: what it takes to send is there. */
  async #look({ config, request }: Target): Promise<void> {
    const { log, clock } = this.#options;
    try {
      await request(exampleEvent, clock.now());
    } catch (error) {
      const reason = error instanceof EdgewardError ? error.message : 'the request could not be made';
      log.warn({ notifier: config.name, reason }, 'this notifier cannot send');
    }
  }

  /** What waited for notifiers that were taken out of the configuration. */
  async #sweep(): Promise<void> {
    const { store, log } = this.#options;
    const names = new Set(this.#queues.map(({ target }) => target.config.name));
    const stale: Operation[] = [];
    for (const [key] of await store.between(noticePrefix, `${noticePrefix}\u{10ffff}`, 1_000_000)) {
      const rest = key.slice(noticePrefix.length);
      if (names.has(rest.split('/')[0] ?? '')) continue;
      stale.push({ key, value: undefined }, { key: eventPrefix + rest, value: undefined });
    }
    if (stale.length === 0) return;
    const fields = { count: stale.length / 2 };
    try {
      await store.commit(stale);
      log.warn(fields, 'notifications of notifiers that are no longer configured are deleted');
    } catch (error) {
      // They are nobody's: the next start sees to them.
      log.warn({ ...fields, reason: messageOf(error) }, 'old notifications could not be deleted');
    }
  }
}
