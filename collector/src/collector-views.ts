/** Answers what the API and the page ask, from the parts of the collector. */
import type { AgentEvent, Clock, Delivery } from '@edgeward/shared/contracts';
import { qualityReasons } from '@edgeward/shared/quality';
import type { IncidentEngine } from './alerts/engine.js';
import type { HandlingAction } from './alerts/handling.js';
import { booksJson } from './audit/books.js';
import type { Gateway, Gateways } from './gateways.js';
import type { Journal } from './journal/journal.js';
import { ledgerView } from './ledger.js';
import type { Live } from './live.js';
import type { History } from './live-history.js';
import type { Notifiers } from './notifiers/http/notifiers.js';
import type { MailQueue } from './notifiers/mail-queue.js';
import { pipeline } from './pipeline/rows.js';
import type { GatewayReport } from './report.js';
import type { ScoreService } from './score-service.js';
import type {
  CollectorViews,
  DemoControls,
  DeviceView,
  EventView,
  GatewayView,
  HealthView,
  ModelControls,
  SeriesQuery,
  SinkControls,
  StreamMessage,
} from './views.js';

export interface ViewParts {
  readonly journal: Journal;
  readonly gateways: Gateways;
  readonly live: Live;
  /** Rows of the pipeline's own devices. */
  readonly pipeline: Live;
  readonly engine: IncidentEngine;
  readonly mails: MailQueue;
  readonly notifiers: Notifiers;
  readonly scores: ScoreService;
  readonly metrics: { text(): Promise<string> };
  readonly health: () => HealthView;
  /** Tries a dead letter again; why it is still none. */
  readonly replay: (id: string) => Promise<string | undefined>;
  /** Last position stored, by name. */
  readonly cursors: () => Readonly<Record<string, number>>;
  readonly sinks: SinkControls;
  readonly models: ModelControls;
  readonly clock: Clock;
  readonly demo: DemoControls | undefined;
}

type Listener = (message: StreamMessage) => void;

/** How often open pages hear of the fleet and the ledger. */
const pulseMs = 1000;

export class Views implements CollectorViews, Disposable {
  readonly demo?: DemoControls;
  readonly sinks: SinkControls;
  readonly models: ModelControls;
  readonly #parts: ViewParts;
  readonly #listeners = new Set<Listener>();
  readonly #endings: (() => void)[];

  constructor(parts: ViewParts) {
    this.#parts = parts;
    this.sinks = parts.sinks;
    this.models = parts.models;
    if (parts.demo) this.demo = parts.demo;
    const pulse = setInterval(() => this.#pulse(), pulseMs);
    this.#endings = [
      () => clearInterval(pulse),
      parts.engine.onChange(incident => this.#tell({ kind: 'incident', incident })),
      parts.mails.onChange(mail => this.#tell({ kind: 'mail', mail })),
      parts.notifiers.onChange(notification => this.#tell({ kind: 'notification', notification })),
      parts.gateways.subscribe(change => {
        if (change.kind === 'event') this.#tell({ kind: 'event', event: toEventView(change.event) });
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const end of this.#endings) end();
  }

  /** New rows, for plots and for open pages. */
  rows(deliveries: readonly Delivery[]): void {
    const updates = this.#parts.live.add(deliveries, this.#listeners.size > 0);
    if (this.#listeners.size > 0) this.#tell({ kind: 'rows', updates });
  }

  gateways(): GatewayView[] {
    const open = new Map<string, number>();
    for (const { gateway, device, state } of this.#parts.engine.list(1000)) {
      const id = gateway === pipeline ? device : gateway;
      if (state === 'open') open.set(id, (open.get(id) ?? 0) + 1);
    }
    return this.#parts.gateways.all().map(gateway => this.#gatewayView(gateway, open.get(gateway.id) ?? 0));
  }

  devices(gateway?: string, device?: string): DeviceView[] {
    return this.#liveOf(gateway)
      .all()
      .filter(history => gateway === undefined || history.gateway === gateway)
      .filter(history => device === undefined || history.device === device)
      .map(history => this.#deviceView(history));
  }

  series(query: SeriesQuery) {
    return this.#liveOf(query.gateway).get(query.gateway, query.device)?.series(query);
  }

  incidents(limit: number, under?: string) {
    return this.#parts.engine.list(limit, under);
  }

  incident(id: string) {
    return this.#parts.engine.get(id);
  }

  handle(id: string, action: HandlingAction, by: string | undefined) {
    return this.#parts.engine.handle(id, action, by);
  }

  mails(limit: number) {
    return this.#parts.mails.list(limit);
  }

  mail(id: string) {
    return this.#parts.mails.body(id);
  }

  notifications(limit: number) {
    return this.#parts.notifiers.list(limit);
  }

  notification(notifier: string, id: string) {
    return this.#parts.notifiers.body(notifier, id);
  }

  ledger() {
    const { received, accounts, losses } = this.#parts.journal;
    const sinks = [...losses.all()].map(([sink, loss]) => ({ sink, ...loss }));
    return { ...ledgerView(received, accounts), sinks };
  }

  deadLetters(limit: number) {
    const { deadLetters } = this.#parts.journal;
    return { count: deadLetters.count, dropped: deadLetters.dropped, letters: deadLetters.list(limit) };
  }

  async replayDeadLetter(id: string) {
    return (await this.#parts.replay(id)) ?? null;
  }

  auditBooks() {
    return booksJson(this.#parts.journal, this.#parts.cursors());
  }

  auditBlocks(after: number, most: number) {
    return this.#parts.journal.list(after, most);
  }

  events(limit: number): EventView[] {
    return this.#parts.gateways.events(limit).map(toEventView);
  }

  health() {
    return this.#parts.health();
  }

  metrics(): Promise<string> {
    return this.#parts.metrics.text();
  }

  score(rows: Parameters<ScoreService['score']>[0]) {
    return this.#parts.scores.score(rows);
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #liveOf(gateway: string | undefined): Live {
    return gateway === pipeline ? this.#parts.pipeline : this.#parts.live;
  }

  #pulse(): void {
    if (this.#listeners.size === 0) return;
    this.#tell({ kind: 'gateways', gateways: this.gateways() });
    this.#tell({ kind: 'ledger', ledger: this.ledger() });
    this.#tell({ kind: 'sinks', sinks: this.sinks.list() });
  }

  #tell(message: StreamMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  #gatewayView({ id, state, report, lastRowMs, devices, rate }: Gateway, openIncidents: number): GatewayView {
    return {
      id,
      site: state?.site ?? report?.site ?? null,
      online: state?.online ?? false,
      epoch: state?.epoch ?? report?.epoch ?? null,
      version: state?.version ?? report?.version ?? null,
      lastRowMs,
      lastReportMs: report?.atMs ?? null,
      devices: devices.size,
      rowsPerSecond: rate.perSecond(this.#parts.clock.now()),
      outbox: report ? outboxView(report.outbox) : null,
      rssBytes: report?.process.rssBytes ?? null,
      openIncidents,
    };
  }

  #deviceView(history: History): DeviceView {
    const { gateway, device, schema } = history;
    const last = history.last();
    return {
      gateway,
      device,
      type: schema.type,
      fields: schema.fields,
      lastRowMs: last.time,
      lastScore: last.score,
      lastAnomaly: last.anomaly,
      lastQuality: qualityReasons(last.quality),
      last: last.values,
      model: history.model,
      threshold: history.threshold,
      openIncidentId: this.#parts.engine.openFor(gateway, device)?.id ?? null,
    };
  }
}

function outboxView({ blocks, bytes, oldestMs }: GatewayReport['outbox']) {
  return { blocks, bytes, oldestMs };
}

function toEventView({ gateway, atMs, kind, text }: AgentEvent): EventView {
  return { gateway, atMs, kind, text };
}
