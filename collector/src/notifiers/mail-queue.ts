/**
 * Mails that wait, were sent, failed, or are only kept because no SMTP server is configured. They enter in the
 * commit of whoever queues them, so that an incident and its mail are stored together or not at all.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import type { AlertStore, Operation } from '../alerts/alert-store.js';
import type { MailSpans } from '../trace/mail-spans.js';
import type { MailBody, MailView } from '../views.js';
import type { ChartMaker, StoredChart } from './charts.js';
import type { MailConfig } from './config.js';
import { illustrate } from './illustrator.js';
import { type MailRequest, mailId, type RenderedMail } from './mail.js';
import { MailCourier } from './mail-courier.js';
import { withChart } from './mail-html.js';
import type { Outlet } from './outlet.js';
import { merged, type NewMail, newDigest, newMail, type QueuedMail, released } from './queued-mail.js';
import { isDigestDue } from './recipients.js';
import { SmtpSender } from './smtp.js';
import { lastWords, nextOfEach, oldestFirst } from './threads.js';

export interface MailQueueOptions {
  readonly store: AlertStore;
  readonly config: MailConfig;
  /** Name of the collector, in message ids. */
  readonly collector?: string;
  /** Absent: mails go without. */
  readonly charts?: ChartMaker | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  readonly spans?: MailSpans | undefined;
}

/** What is sent, apart from whom to. */
export interface Letter extends RenderedMail {
  readonly chart: StoredChart | undefined;
}

type Listener = (mail: MailView) => void;

const headPrefix = 'mail/';
const bodyPrefix = 'body/';
const chartPrefix = 'chart/';
const maxMails = 1000;
const chartWaitMs = 2500;

export class MailQueue implements Outlet {
  readonly #options: MailQueueOptions;
  readonly #mails = new Map<string, QueuedMail>();
  readonly #listeners = new Set<Listener>();
  /** Opens when a mail was queued. */
  readonly queued = new Gate();
  #loaded: Promise<void> | undefined;
  #lastOrder = 0;
  #running = false;
  /** Times that a mail could not be sent, since the start. */
  delays = 0;

  constructor(options: MailQueueOptions) {
    this.#options = options;
  }

  open(): Promise<void> {
    this.#loaded ??= this.#load().catch(error => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  prepare(requests: readonly MailRequest[]): { operations: Operation[]; committed(): void } {
    const wanted = requests.filter(request => this.#isWanted(request));
    const entries = wanted.map((request, i) => this.#entry(request, this.#lastOrder + 1 + i));
    const old = this.#tooMany(entries.length);
    const operations = [...entries.flatMap(stored), ...old.flatMap(gone)];
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
    const byState = { kept: 0, held: 0, queued: 0, merged: 0, sent: 0, failed: 0 };
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { view } of this.#mails.values()) {
      byState[view.state] += 1;
      if (view.state === 'queued') oldestMs = Math.min(oldestMs, view.createdMs);
    }
    return { byState, ...(byState.queued > 0 && { oldestMs }) };
  }

  /** As the page shows it: the chart is part of the HTML. */
  async body(id: string): Promise<MailBody | undefined> {
    if (this.#mails.get(id)?.plot) await this.#drawnSoon(id);
    const mail = this.#mails.get(id);
    const letter = mail && (await this.letter(id));
    if (!mail || !letter) return undefined;
    const { text, html, chart } = letter;
    const inline = chart && { ...chart, src: `data:image/png;base64,${chart.png}` };
    return { ...mail.view, text, html: withChart(html, inline) };
  }

  /** Whoever looks at a new mail at once sees its chart, too. */
  async #drawnSoon(id: string): Promise<void> {
    const untilMs = performance.now() + chartWaitMs;
    while (this.#running && this.#mails.get(id)?.plot && performance.now() < untilMs)
      await this.queued.wait(undefined, untilMs - performance.now());
  }

  /** As it is stored. */
  async letter(id: string): Promise<Letter | undefined> {
    const { store } = this.#options;
    const body = (await store.getSound(bodyPrefix + id)) as RenderedMail | undefined;
    const chart = (await store.getSound(chartPrefix + id)) as StoredChart | undefined;
    return body && { ...body, chart };
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Draws the charts of what is queued, and sends it if there is an SMTP server, until `stop`. */
  async run(stop: AbortSignal): Promise<void> {
    const { config, charts, collector, log, clock } = this.#options;
    await this.open();
    this.#running = true;
    const sender = config.smtp && new SmtpSender(config.smtp, { collector });
    await Promise.all([
      charts && illustrate({ queue: this, charts, clock }, stop),
      sender && new MailCourier({ queue: this, sender, log, clock }).run(stop),
    ]);
  }

  /** The oldest mail whose chart is yet to be drawn. */
  undrawn(): QueuedMail | undefined {
    return this.#oldestFirst().find(({ plot }) => plot !== undefined);
  }

  /** Its chart is ready, or it goes without. */
  async drawn(id: string, chart: StoredChart | undefined): Promise<void> {
    const known = this.#mails.get(id);
    if (!known) return;
    const { plot: _, ...mail } = known;
    await this.#saveAll([mail], chart ? [{ key: chartPrefix + id, value: chart }] : []);
    this.queued.open();
  }

  get holds(): boolean {
    return [...this.#mails.values()].some(({ view }) => view.state === 'held');
  }

  /**
   * Has those that were held for quiet hours or a digest go, all to the same recipients in one mail: stored together,
   * so that after a kill at any point each is either held or in a digest.
   */
  async releaseDue(): Promise<void> {
    const { config, collector, clock } = this.#options;
    const nowMs = clock.now();
    const outdated = this.#outdated();
    if (outdated.length > 0) await this.#replace(outdated, []);
    for (const mails of this.#dueGroups(nowMs)) {
      const [only] = mails;
      if (mails.length === 1 && only) {
        await this.#replace([released(only)], []);
        continue;
      }
      const digest = newDigest(mails, { config, collector, order: this.#lastOrder + 1, nowMs });
      this.#lastOrder += 1;
      const members = mails.map(mail => merged(mail, digest.mail.view.id));
      await this.#replace([...members, digest.mail], stored(digest));
    }
  }

  /** Held mails of which the recipients have had later news of the same incident: they are not told what was before. */
  #outdated(): QueuedMail[] {
    const told = new Map<string | null, QueuedMail>();
    for (const mail of this.#oldestFirst())
      if (mail.view.state === 'sent' || mail.view.state === 'queued') told.set(mail.view.incidentId, mail);
    return this.#oldestFirst().flatMap(mail => {
      const later = mail.view.incidentId === null ? undefined : told.get(mail.view.incidentId);
      const isOld =
        mail.view.state === 'held' && !mail.plot && later !== undefined && later.order > mail.order;
      return isOld ? [merged(mail, later.view.id)] : [];
    });
  }

  #dueGroups(nowMs: number): QueuedMail[][] {
    const { config } = this.#options;
    const groups = new Map<string, QueuedMail[]>();
    for (const mail of this.#oldestFirst())
      if (mail.view.state === 'held' && !mail.plot)
        getOrMake(groups, JSON.stringify(mail.view.to), () => []).push(mail);
    return [...groups.values()].filter(mails =>
      mails.some(({ severity, view }) => isDigestDue(config, severity ?? 'info', view.createdMs, nowMs)),
    );
  }

  #oldestFirst(): QueuedMail[] {
    return oldestFirst(this.#mails.values());
  }

  /** The next of each incident, oldest first. */
  waiting(): QueuedMail[] {
    return nextOfEach(this.#mails.values()).filter(({ plot }) => plot === undefined);
  }

  /** What the server said stands in memory even if it cannot be stored: a double after a crash beats two now. */
  save(mail: QueuedMail): Promise<void> {
    return this.#saveAll([mail], []);
  }

  /** Stored, or as before: what cannot be stored is tried again with the next look. */
  async #replace(mails: readonly QueuedMail[], more: readonly Operation[]): Promise<void> {
    try {
      await this.#options.store.commit([...more, ...headsOf(mails)]);
    } catch (error) {
      const fields = { count: mails.length, reason: messageOf(error) };
      this.#options.log.error(fields, 'held mails cannot go before that is stored');
      return;
    }
    for (const mail of mails) this.#keep(mail);
  }

  async #saveAll(mails: readonly QueuedMail[], more: readonly Operation[]): Promise<void> {
    for (const mail of mails) this.#keep(mail);
    try {
      await this.#options.store.commit([...more, ...headsOf(mails)]);
    } catch (error) {
      const { id, state } = mails[0]!.view;
      const fields = { mail: id, state, count: mails.length, reason: messageOf(error) };
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

  #entry(request: MailRequest, order: number): NewMail {
    const { config, collector, charts, clock } = this.#options;
    const thread = this.#oldestFirst().filter(({ view }) => view.incidentId === request.incident.id);
    const drawn = charts !== undefined;
    return newMail(request, { config, collector, drawn, order, nowMs: clock.now(), thread });
  }

  /** The oldest that nobody waits for, of incidents that are over before others, so that the store stays small. */
  #tooMany(more: number): string[] {
    const over = this.#mails.size + more - maxMails;
    if (over <= 0) return [];
    const done = [...this.#mails.values()].filter(
      ({ view }) => view.state !== 'queued' && view.state !== 'held',
    );
    const last = lastWords(this.#mails.values(), ({ kind }) => kind === 'closed');
    const rank = ({ view }: QueuedMail) => Number(last.has(view.id));
    return oldestFirst(done)
      .sort((a, b) => rank(a) - rank(b))
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
    const before = this.#mails.get(mail.view.id)?.view.state;
    if (mail.view.state !== before) this.#options.spans?.changed(mail);
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

function stored({ mail, body }: NewMail): Operation[] {
  return [
    { key: headPrefix + mail.view.id, value: mail },
    { key: bodyPrefix + mail.view.id, value: body },
  ];
}

function gone(id: string): Operation[] {
  return [headPrefix, bodyPrefix, chartPrefix].map(prefix => ({ key: prefix + id, value: undefined }));
}

function headsOf(mails: readonly QueuedMail[]): Operation[] {
  return mails.map(mail => ({ key: headPrefix + mail.view.id, value: mail }));
}
