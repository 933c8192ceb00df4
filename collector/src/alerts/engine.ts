/**
 * Follows the journal and turns flagged rows into incidents and mails.
 *
 * Its cursor lies in its own store. Whatever happens to incidents goes down in one synced batch with the mails
 * it causes and the cursor behind the rows that caused it: after a kill at any point nothing is doubled or
 * missing. Rows that caused nothing move the cursor in memory, and in the store every few seconds; after a
 * crash they are looked at again from the device states of that same commit, which comes to the same.
 */
import type { Clock, Cursor, Delivery, Sink } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { settled } from '@edgeward/shared/settled';
import { type Diagnosis, saysTheSame } from '../diagnosis/diagnosis.js';
import { rowsOf } from '../journal/kept-delivery.js';
import type { Outlet } from '../notifiers/outlet.js';
import { notYetStored } from '../sinks/received.js';
import { isUnder } from '../topology/place.js';
import type { Topology } from '../topology/topology.js';
import type { IncidentSpans } from '../trace/incident-spans.js';
import type { AlertStore } from './alert-store.js';
import { Board, Draft, deviceKey, type IncidentRecord } from './board.js';
import type { AlertsConfig } from './config.js';
import { observeSilence } from './device-alarm.js';
import { type Diagnose, Diagnosing } from './diagnosing.js';
import { type DriftReport, observeDrifts } from './drift-incidents.js';
import { dueMails, isOverdue } from './due-mails.js';
import { widen } from './extent.js';
import { type HandlingAction, handle, unknownIncident, withMoved } from './handling.js';
import { type HealthNews, observeHealth } from './health-incidents.js';
import type { Incident, IncidentWording, Severity } from './incident.js';
import { IncidentNotes } from './incident-notes.js';
import { applyChanges, observeDelivery } from './observe.js';
import { adjustmentsFor } from './sensitivity.js';

export interface EngineOptions {
  readonly store: AlertStore;
  /** Absent: nobody is told. */
  readonly mails?: Outlet;
  readonly config: AlertsConfig;
  /** Absent: no causes are looked for. */
  readonly diagnose?: Diagnose;
  /** Site of a gateway, for titles and mails. */
  readonly siteOf?: (gateway: string) => string | null;
  /** Where in the plant devices are; absent: nobody knows. */
  readonly topology?: Topology;
  /** Only where blocks are traced. */
  readonly spans?: IncidentSpans | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface EngineCounts {
  readonly rows: number;
  /** Rows that came too late to raise an alarm. */
  readonly lateRows: number;
  readonly open: number;
  readonly closed: number;
  readonly openBySeverity: Readonly<Record<Severity, number>>;
  /** Since the start, by the severity that they opened with. */
  readonly openedBySeverity: Readonly<Record<Severity, number>>;
}

type Listener = (incident: Incident) => void;

const cursorKey = 'cursor';
const saveEveryMs = 1000;
/** A cursor names every gateway: what is saved for its sake alone is saved the less often, the longer it is. */
const saveEveryMsPerGateway = 5;
const maxClosed = 1000;
/** What one tick ends or tells at most: each may be rendered for several outlets. */
const mostATick = 20;

export class IncidentEngine implements Sink {
  /** What it tells sinks. */
  readonly notes: IncidentNotes;
  readonly #options: EngineOptions;
  readonly #diagnosing: Diagnosing | undefined;
  readonly #listeners = new Set<Listener>();
  /** When a device's last row was seen here, and its incident closed, ms by the wall clock of `tick`. */
  readonly #seen = new Map<string, { rowMs: number; closedMs: number }>();
  #board: Board | undefined;
  #cursor: Cursor | undefined;
  #savedCursor: Cursor | undefined;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #saveEveryMs = saveEveryMs;
  #rows = 0;
  #lateRows = 0;
  readonly #opened = { info: 0, warning: 0, critical: 0 };
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.notes = new IncidentNotes(options.store);
    this.#diagnosing = options.diagnose && new Diagnosing(options.diagnose, options.log, options.topology);
  }

  cursor(): Promise<Cursor | undefined> {
    return this.#exclusively(async () => {
      await this.#loaded();
      return this.#cursor;
    });
  }

  /** @throws EW_STORE_WRITE with nothing changed; the same call may be made again */
  write(deliveries: readonly Delivery[], after: Cursor, _deadline?: AbortSignal): Promise<void> {
    return this.#exclusively(async () => {
      const board = await this.#loaded();
      const draft = new Draft(board);
      const fresh = notYetStored(deliveries, this.#cursor, after.journal);
      const trail = this.#options.spans?.begin(board, draft);
      for (const delivery of fresh) {
        const { trace } = delivery;
        if (trail && trace) trail.around(trace, () => this.#observe(draft, delivery));
        else this.#observe(draft, delivery);
      }
      widen(draft, this.#options.topology);
      this.#diagnosing?.look(draft);
      await this.#finish(draft, after);
      trail?.tell();
      this.#count(fresh);
    });
  }

  /** Closes and settles what only the wall clock can, and saves what waits to be saved. Call about once a second. */
  tick(nowMs: number): Promise<void> {
    return this.#exclusively(async () => {
      if (!this.#board) return;
      const draft = new Draft(this.#board);
      let left = mostATick;
      for (const key of this.#board.states.keys()) {
        if (left <= 0) break;
        if (this.#observeSilence(draft, key, nowMs)) left -= 1;
      }
      for (const { incident } of this.#board.records.values()) {
        if (left <= 0) break;
        const record = draft.record(incident.id)!;
        if (!isOverdue(record, draft, this.#options.config, nowMs)) continue;
        touch(draft, record);
        left -= 1;
      }
      this.#diagnosing?.look(draft);
      // Nobody hands these changes in again but the next tick: so no error may end it.
      await this.#finish(draft, this.#cursor).catch(error =>
        this.#options.log.warn({ reason: messageOf(error) }, 'incidents could not be saved; trying again'),
      );
    });
  }

  /** Opens, renews and closes incidents of what a gateway says of drift: its newest report, as often as it likes. */
  drifts(report: DriftReport): Promise<void> {
    return this.#exclusively(async () => {
      const board = await this.#loaded();
      const draft = new Draft(board);
      const site = this.#options.siteOf?.(report.gateway) ?? null;
      const { config } = this.#options;
      if (observeDrifts(draft, board.records.values(), report, site, config))
        await this.#finish(draft, this.#cursor);
    });
  }

  /**
   * What somebody did with it; durable when it resolves.
   * @throws EW_USAGE if it is not known; EW_STORE_WRITE
   */
  handle(id: string, action: HandlingAction, by: string | undefined): Promise<Incident> {
    return this.#exclusively(async () => {
      const board = await this.#loaded();
      const record = board.records.get(id);
      if (!record) throw unknownIncident(id);
      const handled = handle(record.incident, action, by, this.#options.clock.now());
      if (handled === record.incident) return handled;
      const draft = new Draft(board);
      const moves =
        action.kind === 'feedback' ? adjustmentsFor(handled, action.verdict, board.sensitivity) : [];
      for (const one of moves) draft.adjust(one);
      const incident = moves.length > 0 ? withMoved(handled) : handled;
      draft.setRecord({ ...record, incident });
      await this.#commit(draft, this.#cursor);
      return incident;
    });
  }

  /**
   * Keeps what was made of a diagnosis with its incident; told to listeners, but no reason for a mail.
   * @returns false if the incident is gone or its diagnosis says something else by now
   */
  word(id: string, wording: IncidentWording, of: Diagnosis): Promise<boolean> {
    return this.#exclusively(async () => {
      const board = await this.#loaded();
      const record = board.records.get(id);
      if (!record || !saysTheSame(record.incident.diagnosis, of)) return false;
      const draft = new Draft(board);
      draft.setRecord({ ...record, incident: { ...record.incident, wording } });
      await this.#commit(draft, this.#cursor);
      return true;
    });
  }

  /** Opens, renews and closes incidents of the pipeline itself, by all that is wrong with it now. */
  health(news: HealthNews): Promise<void> {
    return this.#exclusively(async () => {
      const board = await this.#loaded();
      const draft = new Draft(board);
      if (observeHealth(draft, board.records.values(), news, this.#options.config))
        await this.#finish(draft, this.#cursor);
    });
  }

  /** Newest first. @param under  only those of the site, line or machine with this path, and what lies in it */
  list(limit: number, under?: string): Incident[] {
    const known = [...(this.#board?.records.values() ?? [])].map(record => record.incident);
    const all = under === undefined ? known : known.filter(incident => isUnder(incident, under));
    return all.sort((a, b) => b.openedMs - a.openedMs || (a.id < b.id ? -1 : 1)).slice(0, limit);
  }

  get(id: string): Incident | undefined {
    return this.#board?.records.get(id)?.incident;
  }

  openFor(gateway: string, device: string): Incident | undefined {
    const state = this.#board?.states.get(deviceKey(gateway, device));
    return state?.phase === 'open' && state.incidentId !== null ? this.get(state.incidentId) : undefined;
  }

  counts(): EngineCounts {
    const all = [...(this.#board?.records.values() ?? [])];
    const open = all.filter(({ incident }) => incident.state === 'open');
    const openBySeverity = { info: 0, warning: 0, critical: 0 };
    for (const { incident } of open) openBySeverity[incident.severity] += 1;
    return {
      rows: this.#rows,
      lateRows: this.#lateRows,
      open: open.length,
      closed: all.length - open.length,
      openBySeverity,
      openedBySeverity: { ...this.#opened },
    };
  }

  /** After each change is stored; mere growth of an open incident may be told a little earlier. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Saves what waits. The store is closed by whoever made it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#board && this.#isUnsaved(this.#board))
        await this.#commit(new Draft(this.#board), this.#cursor);
    });
  }

  async #loaded(): Promise<Board> {
    if (this.#board) return this.#board;
    const { store, mails, clock } = this.#options;
    await mails?.open();
    await this.notes.open();
    const cursor = (await store.get(cursorKey)) as Cursor | undefined;
    const board = await Board.load(store, cursor !== undefined);
    // How long a device was silent while we were not running is unknown: count from now.
    const nowMs = clock.now();
    for (const key of board.states.keys()) this.#seen.set(key, { rowMs: nowMs, closedMs: nowMs });
    this.#cursor = cursor;
    this.#savedCursor = cursor;
    this.#board = board;
    return board;
  }

  #observe(draft: Draft, delivery: Delivery): void {
    const { config, siteOf, topology, clock } = this.#options;
    const site = siteOf?.(delivery.gateway) ?? null;
    const rowMs = clock.now();
    for (const { key, closed } of observeDelivery(draft, delivery, site, config, topology)) {
      const closedMs = closed ? rowMs : (this.#seen.get(key)?.closedMs ?? rowMs);
      this.#seen.set(key, { rowMs, closedMs });
    }
  }

  /** @returns whether anything has become of an incident */
  #observeSilence(draft: Draft, key: string, nowMs: number): boolean {
    const state = draft.state(key);
    if (!state) return false;
    const seen = this.#seen.get(key) ?? { rowMs: nowMs, closedMs: nowMs };
    const { config } = this.#options;
    const observed = observeSilence(state, nowMs - seen.rowMs, nowMs - seen.closedMs, config);
    if (observed.state === state) return false;
    draft.setState(key, applyChanges(draft, observed, state.incidentId, config));
    this.#seen.set(key, { ...seen, closedMs: nowMs });
    return observed.changes.length > 0;
  }

  /** Commits what matters now, or enough time later; otherwise only memory moves on. */
  async #finish(draft: Draft, after: Cursor | undefined): Promise<void> {
    const board = await this.#loaded();
    const isDue = this.#options.clock.monotonic() - this.#savedAtMs >= this.#saveEveryMs;
    const changed = draft.operations().length > 0 || after !== this.#savedCursor;
    if (draft.urgent || (isDue && changed)) return this.#commit(draft, after);
    const touched = draft.touched();
    draft.merge(false);
    this.#cursor = after;
    this.#forgetIdle(board);
    this.#tell(touched.map(record => record.incident));
  }

  async #commit(draft: Draft, after: Cursor | undefined): Promise<void> {
    const { store, mails, config, clock } = this.#options;
    const board = await this.#loaded();
    const queued = mails?.prepare(dueMails(draft, clock.now(), config, this.#diagnosing?.unseen));
    const noted = this.notes.prepare(draft, clock.now());
    draft.prune(maxClosed);
    const cursor = after ? [{ key: cursorKey, value: after }] : [];
    const touched = draft.touched();
    const opened = touched.filter(({ incident }) => !board.records.has(incident.id));
    await store.commit([
      ...draft.operations(),
      ...(queued?.operations ?? []),
      ...noted.operations,
      ...cursor,
    ]);
    draft.merge(true);
    for (const { incident } of opened) this.#opened[incident.severity] += 1;
    this.#cursor = after;
    this.#savedCursor = after;
    this.#savedAtMs = clock.monotonic();
    const gateways = after ? Object.keys(after.received).length : 0;
    this.#saveEveryMs = Math.max(saveEveryMs, gateways * saveEveryMsPerGateway);
    this.#forgetIdle(board);
    this.#tell(touched.map(record => record.incident));
    queued?.committed();
    noted.committed();
  }

  #isUnsaved(board: Board): boolean {
    return board.unsaved.size > 0 || this.#cursor !== this.#savedCursor;
  }

  #forgetIdle(board: Board): void {
    for (const key of this.#seen.keys()) if (!board.states.has(key)) this.#seen.delete(key);
  }

  #count(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const rows = rowsOf(delivery);
      this.#rows += rows;
      if (delivery.late) this.#lateRows += rows;
    }
  }

  #tell(incidents: readonly Incident[]): void {
    for (const incident of incidents)
      for (const listener of this.#listeners) {
        try {
          listener(incident);
        } catch (error) {
          this.#options.log.error({ reason: messageOf(error) }, 'a listener for incidents failed');
        }
      }
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = settled(done);
    return done;
  }
}

/** So that the mails it is due are looked for. */
function touch(draft: Draft, record: IncidentRecord): void {
  draft.setRecord(record);
  draft.urgent = true;
}
