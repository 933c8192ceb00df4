import { type HandlingAction, handle, unknownIncident } from '../alerts/handling.js';
import type { Incident } from '../alerts/incident.js';
import { isUnder } from '../topology/place.js';
import type {
  CollectorViews,
  DeadLettersView,
  DemoAction,
  DemoControls,
  DemoState,
  DeviceView,
  EventView,
  GatewayView,
  HealthView,
  LedgerView,
  LiveUpdate,
  MailBody,
  MailView,
  NoticeBody,
  NoticeView,
  ScoreRequestRow,
  ScoreResultRow,
  SeriesQuery,
  SeriesView,
  StreamMessage,
} from '../views.js';
import { type FakeGateway, fleet, ledgerOf } from './fake-fleet.js';
import { closeIncident, mailAbout, noticeAbout, openIncident, updateIncident } from './fake-incident.js';
import { FakeModels } from './fake-models.js';
import { FakePipeline } from './fake-pipeline.js';
import type { FakeDevice } from './fake-plant.js';
import { FakeSinks } from './fake-sinks.js';

export interface FakeOptions {
  readonly seed?: number;
  /** No gateway has ever connected. */
  readonly empty?: boolean;
  readonly demo?: boolean;
  /** Past that is already there, ms. */
  readonly historyMs?: number;
  readonly nowMs?: number;
}

const periodMs = 250;
/** A whole collector in memory. Time moves by `advance`, or by itself after `start`. */
export class FakeViews implements CollectorViews {
  readonly actions: DemoAction[] = [];
  readonly scored: ScoreRequestRow[] = [];
  ready = true;
  readonly demo?: DemoControls;
  readonly sinks: FakeSinks;
  readonly pipeline: FakePipeline;
  readonly models = new FakeModels();
  #nowMs: number;
  #timer: NodeJS.Timeout | undefined;
  readonly #gateways: FakeGateway[];
  readonly #incidents = new Map<string, Incident>();
  readonly #mails = new Map<string, MailBody>();
  readonly #notices: NoticeBody[] = [];
  readonly #events: EventView[] = [];
  readonly #listeners = new Set<(message: StreamMessage) => void>();
  readonly #log: { atMs: number; text: string }[] = [];

  constructor(options: FakeOptions = {}) {
    const { seed = 7, empty = false, demo = false, historyMs = 120_000 } = options;
    this.#gateways = empty ? [] : fleet(seed);
    this.#nowMs = (options.nowMs ?? Date.now()) - historyMs;
    if (demo) this.demo = this.#controls();
    this.sinks = new FakeSinks(this.#nowMs + historyMs);
    this.pipeline = new FakePipeline(this.#nowMs + historyMs);
    if (empty) this.sinks.clear();
    this.advance(historyMs);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Moves time on, a row for each device every 250 ms, and tells the listeners. */
  advance(ms: number): void {
    const updates = new Map<FakeDevice, LiveUpdate[]>();
    for (let passed = 0; passed < ms; passed += periodMs) {
      this.#nowMs += periodMs;
      for (const gateway of this.#gateways) this.#tick(gateway, updates);
    }
    this.#emit({ kind: 'rows', updates: [...updates.values()].flat() });
    this.#emit({ kind: 'gateways', gateways: this.gateways() });
    this.#emit({ kind: 'ledger', ledger: this.ledger() });
    this.#emit({ kind: 'sinks', sinks: this.sinks.list() });
  }

  start(): void {
    this.#timer ??= setInterval(() => this.advance(periodMs), periodMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Plays a fault from now on. */
  inject(gateway: string, device: string, fault: string): void {
    const found = this.#device(gateway, device);
    if (!found) throw new TypeError(`no device ${gateway}/${device}`);
    found.active = fault;
  }

  /** Ends the fault; the incident closes. */
  repair(gateway: string, device: string): void {
    const found = this.#device(gateway, device);
    const open = found && this.#openIncident(found);
    if (found) found.active = null;
    if (open) this.#publish(closeIncident(open, this.#nowMs));
  }

  tell(event: Omit<EventView, 'atMs'>): void {
    const full = { ...event, atMs: this.#nowMs };
    this.#events.unshift(full);
    this.#emit({ kind: 'event', event: full });
  }

  gateways(): readonly GatewayView[] {
    return this.#gateways.map(gateway => ({
      id: gateway.id,
      site: gateway.id.startsWith('gw-north') ? 'north-hall' : 'cold-store',
      online: !gateway.linkCut,
      epoch: `e${gateway.epoch}`,
      version: '0.1.0',
      lastRowMs: Math.max(...gateway.devices.map(one => one.last?.time ?? 0)),
      lastReportMs: this.#nowMs - 900,
      devices: gateway.devices.length,
      rowsPerSecond: gateway.linkCut ? 0 : gateway.devices.length * 4,
      outbox: {
        blocks: Math.ceil(gateway.waiting / 8),
        bytes: gateway.waiting * 46,
        oldestMs: gateway.waiting ? this.#nowMs - gateway.waiting * 100 : null,
      },
      rssBytes: 88e6 + gateway.devices.length * 1.2e6,
      openIncidents: gateway.devices.filter(one => this.#openIncident(one)).length,
    }));
  }

  devices(gateway?: string, device?: string): readonly DeviceView[] {
    const isAsked = (view: DeviceView) => device === undefined || view.device === device;
    if (gateway === '_pipeline') return this.pipeline.devices().filter(isAsked);
    return this.#gateways
      .filter(one => gateway === undefined || one.id === gateway)
      .flatMap(one => one.devices.map(known => this.#view(known)))
      .filter(isAsked);
  }

  series({ gateway, device, fields, fromMs, toMs, maxPoints }: SeriesQuery): SeriesView | undefined {
    if (gateway === '_pipeline') return this.pipeline.series(device, fields);
    const found = this.#device(gateway, device);
    if (!found) return undefined;
    const within = found.rows.filter(row => row.time >= fromMs && row.time <= toMs);
    const step = Math.max(1, Math.ceil(within.length / maxPoints));
    const rows = within.filter((row, i) => i % step === 0 || row.anomaly);
    const at = fields.map(name => found.fields.findIndex(field => field.name === name));
    return {
      gateway,
      device,
      time: rows.map(row => row.time),
      values: Object.fromEntries(
        fields.map((name, f) => [name, rows.map(row => row.values[at[f]!] ?? null)]),
      ),
      score: rows.map(row => row.score),
      anomaly: rows.map(row => row.anomaly),
      quality: rows.map(() => 0),
    };
  }

  incidents(limit: number, under?: string): readonly Incident[] {
    const all = [...this.#incidents.values()].reverse();
    return all.filter(one => under === undefined || isUnder(one, under)).slice(0, limit);
  }

  incident(id: string): Incident | undefined {
    return this.#incidents.get(id);
  }

  async handle(id: string, action: HandlingAction, by: string | undefined): Promise<Incident> {
    const found = this.#incidents.get(id);
    if (!found) throw unknownIncident(id);
    const incident = handle(found, action, by, found.lastMs);
    this.#incidents.set(id, incident);
    return incident;
  }

  mails(limit: number): readonly MailView[] {
    return [...this.#mails.values()].reverse().slice(0, limit).map(withoutBody);
  }

  async mail(id: string): Promise<MailBody | undefined> {
    return this.#mails.get(id);
  }

  notifications(limit: number): readonly NoticeView[] {
    return this.#notices
      .slice(-limit)
      .reverse()
      .map(({ text: _, ...view }) => view);
  }

  async notification(notifier: string, id: string): Promise<NoticeBody | undefined> {
    return this.#notices.find(one => one.notifier === notifier && one.id === id);
  }

  ledger(): LedgerView {
    return ledgerOf(this.#gateways, this.#nowMs - 900);
  }

  deadLetters(_limit: number): DeadLettersView {
    return { count: 0, dropped: 0, letters: [] };
  }

  replayDeadLetter(_id: string): Promise<string | null> {
    return Promise.resolve('There is no such dead letter.');
  }

  auditBooks() {
    const nothing = {
      gone: [],
      received: {},
      accounts: {},
      reports: {},
      cursors: {},
      lost: {},
      refused: {},
      begun: {},
      events: [],
    };
    return { journal: 'fake', position: 0, ...nothing };
  }

  auditBlocks() {
    return Promise.resolve({ blocks: [], next: null });
  }

  events(limit: number): readonly EventView[] {
    return this.#events.slice(0, limit);
  }

  health(): HealthView {
    return {
      live: true,
      ready: this.ready,
      checks: [
        { name: 'journal', ok: true, detail: 'last commit 0.2 s ago' },
        { name: 'sink:file', ok: this.ready, detail: this.ready ? 'at position 120' : 'disk full' },
      ],
    };
  }

  async metrics(): Promise<string> {
    return '# TYPE collector_rows_stored_total counter\ncollector_rows_stored_total 42\n';
  }

  /** Flags whatever is above 100 in any channel. */
  async score(rows: readonly ScoreRequestRow[]): Promise<readonly ScoreResultRow[]> {
    this.scored.push(...rows);
    return rows.map(({ values }) => {
      const high = Object.entries(values).filter(([, value]) => value > 100);
      return {
        anomaly: high.length > 0,
        score: high.length > 0 ? 1 : 0.4,
        model: null,
        reasons: high.map(([field, value]) => `${field} ${value} > 100`),
        channels: high.map(([field, value]) => ({
          field,
          value,
          direction: 'high',
          weight: 1 / high.length,
        })),
      };
    });
  }

  subscribe(listener: (message: StreamMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tick(gateway: FakeGateway, updates: Map<FakeDevice, LiveUpdate[]>): void {
    if (gateway.linkCut) {
      gateway.waiting += gateway.devices.length;
      for (const device of gateway.devices) device.read += 1;
      return;
    }
    gateway.waiting = 0;
    for (const device of gateway.devices) {
      const row = device.step(this.#nowMs);
      updates.set(device, [...(updates.get(device) ?? []), liveUpdate(device)]);
      if (row.anomaly) this.#flag(device);
    }
  }

  #flag(device: FakeDevice): void {
    const row = device.last;
    // One odd row is no incident.
    if (!row || !device.rows.slice(-5).every(one => one.anomaly)) return;
    const open = this.#openIncident(device);
    if (open) {
      this.#publish(updateIncident(open, row));
      return;
    }
    const incident = openIncident(device, row, this.#incidents.size + 1);
    this.#publish(incident);
    const mail = mailAbout(incident);
    this.#mails.set(mail.id, mail);
    this.#emit({ kind: 'mail', mail: withoutBody(mail) });
    const notice = noticeAbout(incident);
    const { text: _, ...notification } = notice;
    this.#notices.push(notice);
    this.#emit({ kind: 'notification', notification });
  }

  /** An incident of the test's own. */
  raise(incident: Incident): void {
    this.#publish(incident);
  }

  #publish(incident: Incident): void {
    this.#incidents.set(incident.id, incident);
    this.#emit({ kind: 'incident', incident });
  }

  #emit(message: StreamMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  #device(gateway: string, device: string): FakeDevice | undefined {
    return this.#gateways.find(one => one.id === gateway)?.devices.find(one => one.device === device);
  }

  #openIncident(device: FakeDevice): Incident | undefined {
    return [...this.#incidents.values()].find(
      one => one.state === 'open' && one.gateway === device.gateway && one.device === device.device,
    );
  }

  #view(device: FakeDevice): DeviceView {
    const last = device.last;
    return {
      gateway: device.gateway,
      device: device.device,
      type: device.kind.type,
      fields: device.fields,
      lastRowMs: last?.time ?? 0,
      lastScore: last?.score ?? null,
      lastAnomaly: last?.anomaly ?? false,
      lastQuality: [],
      last: Object.fromEntries(device.fields.map((field, i) => [field.name, last?.values[i] ?? null])),
      model: `${device.kind.type}-r1`,
      threshold: device.kind.threshold,
      openIncidentId: this.#openIncident(device)?.id ?? null,
    };
  }

  #controls(): DemoControls {
    const state = async (): Promise<DemoState> => ({
      gateways: this.#gateways.map(({ id, linkCut, kills, devices }) => ({
        id,
        linkCut,
        running: true,
        kills,
        devices: devices.map(({ device, kind, active }) => ({ device, faults: kind.faults, active })),
      })),
      log: this.#log.slice(-20),
    });
    const act = async (action: DemoAction) => {
      this.actions.push(action);
      this.#log.push({ atMs: this.#nowMs, text: this.#act(action) });
      return state();
    };
    return { state, act };
  }

  #act(action: DemoAction): string {
    const gateway = this.#gateways.find(one => one.id === action.gateway);
    if (!gateway) return `There is no gateway ${action.gateway}.`;
    switch (action.action) {
      case 'inject':
        this.inject(action.gateway, action.device, action.fault);
        return `${action.fault} on ${action.device} of ${gateway.id}`;
      case 'cut':
        gateway.linkCut = true;
        return `Network of ${gateway.id} cut: its agent keeps reading and fills its outbox`;
      case 'heal':
        gateway.linkCut = false;
        return `Network of ${gateway.id} healed: the outbox drains`;
      case 'kill':
        gateway.kills += 1;
        gateway.epoch += 1;
        return `kill -9 ${gateway.id}: it came back with a new epoch`;
    }
  }
}

function liveUpdate(device: FakeDevice): LiveUpdate {
  const row = device.last!;
  return {
    gateway: device.gateway,
    device: device.device,
    type: device.kind.type,
    time: [row.time],
    values: Object.fromEntries(device.fields.map((field, i) => [field.name, [row.values[i] ?? null]])),
    score: [row.score],
    anomaly: [row.anomaly],
  };
}

function withoutBody({ text: _, html: __, ...mail }: MailBody): MailView {
  return mail;
}
