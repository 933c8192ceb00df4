/**
 * What waits for one notifier, was sent, or failed. It enters in the commit of whoever queues it, so that an incident and
 * its news are stored together or not at all. Stored is the event itself; the message is made of it anew with each try,
 * so that a corrected template or secret counts for what waits, too.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import type { AlertStore, Operation } from '../../alerts/alert-store.js';
import type { NoticeState, NoticeView } from '../../views.js';
import type { MailRequest } from '../mail.js';
import type { Outlet } from '../outlet.js';
import { lastWords, nextOfEach, oldestFirst } from '../threads.js';
import { eventOf, type IncidentEvent } from './event.js';
import { changed, isHeld, isWanted, newNotice, noticeId, outdated, type QueuedNotice } from './notice.js';
import type { Target } from './target.js';

export interface NoticeQueueOptions {
  readonly target: Target;
  readonly store: AlertStore;
  /** Name of the collector. */
  readonly collector: string;
  readonly linkBase?: string | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  /** All that is stored, waiting or done. */
  readonly maxNotices?: number;
}

interface NewNotice {
  readonly notice: QueuedNotice;
  readonly event: IncidentEvent;
}

type Listener = (notice: NoticeView) => void;

export const noticePrefix = 'notice/';
export const eventPrefix = 'notice-event/';
const defaultMaxNotices = 1000;

export class NoticeQueue implements Outlet {
  /** Opens when something was queued. */
  readonly queued = new Gate();
  readonly #options: NoticeQueueOptions;
  readonly #notices = new Map<string, QueuedNotice>();
  readonly #listeners = new Set<Listener>();
  #loaded: Promise<void> | undefined;
  #lastOrder = 0;
  /** Since the start: what waited and was given up for newer ones, or could not be made. */
  lost = 0;
  /** Tries since the start that came to nothing for now. */
  delays = 0;

  constructor(options: NoticeQueueOptions) {
    this.#options = options;
  }

  get target(): Target {
    return this.#options.target;
  }

  get #name(): string {
    return this.#options.target.config.name;
  }

  open(): Promise<void> {
    this.#loaded ??= this.#load().catch(error => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  /** Never throws: what cannot be made into news holds up neither the incident nor other notifiers. */
  prepare(requests: readonly MailRequest[]): { operations: Operation[]; committed(): void } {
    const fresh: NewNotice[] = [];
    for (const request of requests)
      if (this.#isWanted(request, fresh))
        fresh.push(...this.#made(request, this.#lastOrder + fresh.length + 1));
    const news = withoutOutdated(fresh);
    const incidents = new Map(news.map(({ notice: { view } }) => [view.incidentId, view.id]));
    const replaced = [...this.#notices.values()].flatMap(one => {
      const by = one.view.state === 'held' ? incidents.get(one.view.incidentId) : undefined;
      return by === undefined ? [] : [outdated(one, by)];
    });
    const gone = this.#tooMany(news.length, new Set(replaced.map(({ view }) => view.id)));
    const heads = [...replaced, ...news.map(({ notice }) => notice)];
    return {
      operations: [
        ...this.#headsOf(heads),
        ...news.map(({ notice, event }) => ({ key: this.#eventKey(notice.view.id), value: event })),
        ...gone.flatMap(({ view: { id } }) =>
          [this.#headKey(id), this.#eventKey(id)].map(key => ({ key, value: undefined })),
        ),
      ],
      committed: () => this.#enter(heads, gone),
    };
  }

  /** Newest first. */
  list(): NoticeView[] {
    return oldestFirst(this.#notices.values())
      .reverse()
      .map(({ view }) => view);
  }

  counts(): Record<NoticeState, number> {
    const counts = { held: 0, queued: 0, merged: 0, sent: 0, failed: 0 };
    for (const { view } of this.#notices.values()) counts[view.state] += 1;
    return counts;
  }

  async event(id: string): Promise<IncidentEvent | undefined> {
    return (await this.#options.store.getSound(this.#eventKey(id))) as IncidentEvent | undefined;
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next of each incident, oldest first. */
  waiting(): QueuedNotice[] {
    return nextOfEach(this.#notices.values());
  }

  get holds(): boolean {
    return [...this.#notices.values()].some(({ view }) => view.state === 'held');
  }

  /** Has those go that waited for the end of quiet hours. */
  async releaseDue(): Promise<void> {
    const { target, clock } = this.#options;
    const nowMs = clock.now();
    const due = oldestFirst(this.#notices.values()).filter(
      ({ view }) => view.state === 'held' && !isHeld(target.config, view.severity, nowMs),
    );
    if (due.length > 0) await this.#save(due.map(one => changed(one, { state: 'queued', reason: null })));
  }

  /** What the server said stands in memory even if it cannot be stored: a double after a crash beats two now. */
  save(notice: QueuedNotice): Promise<void> {
    return this.#save([notice]);
  }

  async #save(notices: readonly QueuedNotice[]): Promise<void> {
    // One that was given up for newer ones while it was under way stays away.
    const known = notices.filter(({ view }) => this.#notices.has(view.id));
    for (const notice of known) this.#keep(notice);
    try {
      if (known.length > 0) await this.#options.store.commit(this.#headsOf(known));
    } catch (error) {
      const fields = { notifier: this.#name, count: known.length, reason: messageOf(error) };
      this.#options.log.error(fields, 'the state of a notification could not be stored');
    }
  }

  async #load(): Promise<void> {
    const prefix = this.#headKey('');
    for (const [, value] of await this.#options.store.between(prefix, `${prefix}\u{10ffff}`, 1_000_000)) {
      const notice = value as QueuedNotice;
      if (typeof notice.view?.id !== 'string') continue;
      this.#notices.set(notice.view.id, notice);
      this.#lastOrder = Math.max(this.#lastOrder, notice.order);
    }
  }

  #isWanted(request: MailRequest, fresh: readonly NewNotice[]): boolean {
    const { incident, kind } = request;
    if (this.#notices.has(noticeId(incident.id, kind))) return false;
    const known = [...this.#notices.values(), ...fresh.map(({ notice }) => notice)];
    const told = known.some(({ view }) => view.incidentId === incident.id);
    return isWanted(this.target.config, request, told);
  }

  #made(request: MailRequest, order: number): NewNotice[] {
    const { target, clock, log } = this.#options;
    const nowMs = clock.now();
    try {
      const event = eventOf(request, { ...this.#options, nowMs });
      return [{ event, notice: newNotice(target, request, event, order, nowMs) }];
    } catch (error) {
      this.lost += 1;
      const fields = { notifier: this.#name, incident: request.incident.id, reason: messageOf(error) };
      log.error(fields, 'an incident could not be told');
      return [];
    }
  }

  /** Those that nobody waits for first, of incidents that are over before others; then the oldest, which are lost. */
  #tooMany(more: number, replaced: ReadonlySet<string>): QueuedNotice[] {
    const over = this.#notices.size + more - (this.#options.maxNotices ?? defaultMaxNotices);
    if (over <= 0) return [];
    const all = oldestFirst(this.#notices.values()).filter(({ view }) => !replaced.has(view.id));
    const last = lastWords(this.#notices.values(), ({ view }) => view.event === 'closed');
    const rank = (one: QueuedNotice) => (waits(one) ? 2 : Number(last.has(one.view.id)));
    return all.sort((a, b) => rank(a) - rank(b)).slice(0, over);
  }

  #enter(heads: readonly QueuedNotice[], gone: readonly QueuedNotice[]): void {
    for (const { view } of gone) this.#notices.delete(view.id);
    const count = gone.filter(waits).length;
    if (count > 0) {
      this.lost += count;
      const fields = { notifier: this.#name, count, lost: this.lost };
      this.#options.log.error(fields, 'too many notifications wait: the oldest are lost');
    }
    for (const one of heads) {
      this.#lastOrder = Math.max(this.#lastOrder, one.order);
      this.#keep(one);
    }
    if (heads.length > 0) this.queued.open();
  }

  #keep(notice: QueuedNotice): void {
    this.#notices.set(notice.view.id, notice);
    for (const listener of this.#listeners) {
      try {
        listener(notice.view);
      } catch (error) {
        this.#options.log.error({ reason: messageOf(error) }, 'a listener for notifications failed');
      }
    }
  }

  #headsOf(notices: readonly QueuedNotice[]): Operation[] {
    return notices.map(notice => ({ key: this.#headKey(notice.view.id), value: notice }));
  }

  #headKey(id: string): string {
    return `${noticePrefix}${this.#name}/${id}`;
  }

  #eventKey(id: string): string {
    return `${eventPrefix}${this.#name}/${id}`;
  }
}

function waits({ view }: QueuedNotice): boolean {
  return view.state === 'queued' || view.state === 'held';
}

/** Of several for one incident that would wait for the end of quiet hours, only the last is told. */
function withoutOutdated(news: readonly NewNotice[]): NewNotice[] {
  const last = new Map(news.map(({ notice: { view } }) => [view.incidentId, view.id]));
  return news.map(one => {
    const { view } = one.notice;
    const by = last.get(view.incidentId);
    if (view.state !== 'held' || by === undefined || by === view.id) return one;
    return { ...one, notice: outdated(one.notice, by) };
  });
}
