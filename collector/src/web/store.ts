import type { Incident } from '../alerts/incident.js';
import type {
  DemoState,
  DeviceView,
  EventView,
  GatewayView,
  LedgerView,
  LiveUpdate,
  MailView,
  NoticeView,
  SinkView,
  StreamMessage,
} from '../views.js';

export type Topic =
  | 'clock'
  | 'demo'
  | 'devices'
  | 'events'
  | 'gateways'
  | 'incidents'
  | 'ledger'
  | 'link'
  | 'mails'
  | 'notifications'
  | 'rows'
  | 'sinks'
  | 'theme';

/** The newest scores of a device, for the small lines of the fleet. */
export interface Spark {
  readonly score: (number | null)[];
  readonly anomaly: boolean[];
}

export type LinkState = 'connecting' | 'live' | 'lost';

/** About 40 s of a device that sends four rows a second. */
export const sparkRows = 160;
/** How far back the lines of sinks go. */
export const lagSeconds = 180;
const maxItems = 300;

export function deviceKey(one: { readonly gateway: string; readonly device: string }): string {
  return `${one.gateway}/${one.device}`;
}

/** All the page knows. Bounded: the newest incidents, mails, events and scores; one open plot keeps more. */
export class Store {
  gateways: readonly GatewayView[] = [];
  readonly devices = new Map<string, DeviceView>();
  readonly sparks = new Map<string, Spark>();
  readonly incidents = new Map<string, Incident>();
  readonly mails = new Map<string, MailView>();
  /** By notifier and id. */
  readonly notifications = new Map<string, NoticeView>();
  events: readonly EventView[] = [];
  ledger: LedgerView | undefined;
  sinks: readonly SinkView[] = [];
  /** Rows that each sink lagged behind, a value a second. */
  readonly sinkLags = new Map<string, number[]>();
  demo: DemoState | undefined;
  link: LinkState = 'connecting';
  /** Becomes true with the first snapshot: from then on, nothing there means nothing there. */
  loaded = false;
  readonly #rowListeners = new Set<(update: LiveUpdate) => void>();

  constructor(
    private readonly changed: (topic: Topic) => void,
    private readonly unknownDevice: () => void,
  ) {}

  setDevices(devices: readonly DeviceView[]): void {
    const keys = new Set(devices.map(deviceKey));
    for (const key of this.devices.keys()) if (!keys.has(key)) this.devices.delete(key);
    for (const key of this.sparks.keys()) if (!keys.has(key)) this.sparks.delete(key);
    for (const device of devices) this.devices.set(deviceKey(device), device);
    this.changed('devices');
  }

  /** The scores before the page was opened; what came live since stays behind them. */
  fillSpark(key: string, past: Spark): void {
    const live = this.sparks.get(key) ?? { score: [], anomaly: [] };
    this.sparks.set(key, {
      score: [...past.score, ...live.score].slice(-sparkRows),
      anomaly: [...past.anomaly, ...live.anomaly].slice(-sparkRows),
    });
    this.changed('rows');
  }

  setLink(state: LinkState): void {
    this.link = state;
    this.changed('link');
  }

  setDemo(state: DemoState): void {
    this.demo = state;
    this.changed('demo');
  }

  onRows(listener: (update: LiveUpdate) => void): () => void {
    this.#rowListeners.add(listener);
    return () => this.#rowListeners.delete(listener);
  }

  /** A snapshot replaces what may have been missed while the link was down. */
  startSnapshot(): void {
    this.events = [];
  }

  apply(message: StreamMessage): void {
    this.changed(this.#take(message));
  }

  /** Newest first. */
  incidentList(): readonly Incident[] {
    return [...this.incidents.values()].sort((a, b) => b.openedMs - a.openedMs);
  }

  openIncidents(): readonly Incident[] {
    return this.incidentList().filter(one => one.state === 'open');
  }

  #take(message: StreamMessage): Topic {
    switch (message.kind) {
      case 'rows':
        for (const update of message.updates) this.#row(update);
        return 'rows';
      case 'gateways':
        this.gateways = message.gateways;
        return 'gateways';
      case 'incident':
        remember(this.incidents, message.incident.id, message.incident);
        return 'incidents';
      case 'mail':
        remember(this.mails, message.mail.id, message.mail);
        return 'mails';
      case 'notification':
        remember(this.notifications, noticeKey(message.notification), message.notification);
        return 'notifications';
      case 'ledger':
        this.ledger = message.ledger;
        return 'ledger';
      case 'sinks':
        this.#setSinks(message.sinks);
        return 'sinks';
      case 'event':
        this.events = [message.event, ...this.events].slice(0, maxItems);
        return 'events';
    }
  }

  #setSinks(sinks: readonly SinkView[]): void {
    this.sinks = sinks;
    const names = new Set(sinks.map(one => one.name));
    for (const name of this.sinkLags.keys()) if (!names.has(name)) this.sinkLags.delete(name);
    for (const { name, lag } of sinks) {
      const lags = this.sinkLags.get(name) ?? [];
      this.sinkLags.set(name, lags);
      lags.push(lag.rows);
      if (lags.length > lagSeconds) lags.shift();
    }
  }

  #row(update: LiveUpdate): void {
    const key = deviceKey(update);
    const device = this.devices.get(key);
    const at = update.time.length - 1;
    const timeMs = update.time[at];
    if (timeMs === undefined) return;
    if (!device) this.unknownDevice();
    else if (timeMs >= device.lastRowMs) this.devices.set(key, withRow(device, update, at, timeMs));
    this.#spark(key, update);
    for (const listener of this.#rowListeners) listener(update);
  }

  #spark(key: string, { score, anomaly }: LiveUpdate): void {
    const spark = this.sparks.get(key) ?? { score: [], anomaly: [] };
    this.sparks.set(key, spark);
    spark.score.push(...score);
    spark.anomaly.push(...anomaly);
    if (spark.score.length <= sparkRows) return;
    spark.score.splice(0, spark.score.length - sparkRows);
    spark.anomaly.splice(0, spark.anomaly.length - sparkRows);
  }
}

function withRow(device: DeviceView, update: LiveUpdate, at: number, timeMs: number): DeviceView {
  const kinds = new Map(device.fields.map(field => [field.name, field.kind]));
  const last: Record<string, number | string | boolean | null> = { ...device.last };
  for (const [field, column] of Object.entries(update.values)) {
    const value = column[at] ?? null;
    last[field] = kinds.get(field) === 'bool' && value !== null ? value !== 0 : value;
  }
  return {
    ...device,
    last,
    lastRowMs: timeMs,
    lastScore: update.score[at] ?? null,
    lastAnomaly: update.anomaly[at] ?? false,
  };
}

export function noticeKey({ notifier, id }: Pick<NoticeView, 'notifier' | 'id'>): string {
  return `${notifier}/${id}`;
}

function remember<Item>(items: Map<string, Item>, key: string, item: Item): void {
  items.set(key, item);
  const oldest = items.keys().next();
  if (items.size > maxItems && !oldest.done) items.delete(oldest.value);
}
