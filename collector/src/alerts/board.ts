/**
 * All that the incident engine knows, in memory, and the drafts through which it changes: a draft is committed
 * to the store or dropped as a whole. Changes that may wait for the next commit are merged as "unsaved".
 */
import type { TraceContext } from '@edgeward/shared/contracts';
import type { MailKind, Told } from '../notifiers/mail.js';
import type { AlertStore, Operation } from './alert-store.js';
import { detectorsOf } from './detectors.js';
import { type AlarmState, isIdle } from './device-alarm.js';
import type { Hold } from './easing.js';
import type { Incident } from './incident.js';
import type { Bond } from './joining.js';
import type { Adjustment } from './sensitivity.js';
import { calm, type StormState } from './storm.js';

export interface IncidentRecord {
  readonly incident: Incident;
  readonly mailed: readonly MailKind[];
  /** What the last of them said of the cause; absent: nobody knows any more, so no mail says that it has changed. */
  readonly told?: Told;
  /** What was last told of it to sinks; absent = nothing. */
  readonly noted?: string;
  /** Until then, by the wall clock, its first mail waits for a second look at its cause, ms. */
  readonly waitsUntilMs?: number;
  /** It ended while it was muted: its closing mail is still to come. */
  readonly owesClosing?: true;
  /** Of the pipeline, and over; until it has been so for `reopenWithinMs` it reopens, and no mail says that it is over. */
  readonly closing?: true;
  /** How long it has been less bad than its severity says. */
  readonly hold?: Hold;
  /** Why it is part of another; absent: the same cause. */
  readonly bond?: Bond;
  /** It opened in an alarm storm: no mails before that is over. */
  readonly held: boolean;
  /** Where the spans of mails hang: the last change that a traced block made. */
  readonly trace?: TraceContext;
}

export const deviceKey = (gateway: string, device: string) => `${gateway}/${device}`;
const gatewayIn = (key: string) => key.slice(0, key.indexOf('/'));

const stormKey = 'storm';
const statePrefix = 'device/';
const leastPrefix = 'least/';
const recordPrefix = 'incident/';

export class Board {
  readonly states = new Map<string, AlarmState>();
  readonly records = new Map<string, IncidentRecord>();
  storm: StormState = calm;
  /** What people's feedback has moved. */
  readonly sensitivity = new Map<string, number>();
  /** Keys in the store that are older than what is here. */
  readonly unsaved = new Set<string>();

  /** @param standing  false: no cursor goes with the device states, so they are forgotten */
  static async load(store: AlertStore, standing: boolean): Promise<Board> {
    const board = new Board();
    for (const [id, value] of await store.list(recordPrefix))
      board.records.set(id, withDetectors(value as StoredRecord));
    for (const [key, value] of await store.list(statePrefix)) {
      if (standing) board.states.set(key, value as AlarmState);
      else board.unsaved.add(statePrefix + key);
    }
    for (const [key, value] of await store.list(leastPrefix)) board.sensitivity.set(key, value as number);
    board.storm = ((await store.get(stormKey)) as StormState | undefined) ?? calm;
    return board;
  }

  valueOf(key: string): unknown {
    if (key === stormKey) return this.storm;
    if (key.startsWith(leastPrefix)) return this.sensitivity.get(key.slice(leastPrefix.length));
    if (key.startsWith(statePrefix)) return this.states.get(key.slice(statePrefix.length));
    return this.records.get(key.slice(recordPrefix.length));
  }
}

export class Draft {
  readonly #board: Board;
  readonly #states = new Map<string, AlarmState | undefined>();
  readonly #records = new Map<string, IncidentRecord | undefined>();
  readonly #settled = new Set<string>();
  readonly #least = new Map<string, number | undefined>();
  /** Gateways that have a device with a state; made when it is asked for. */
  #known: Set<string> | undefined;
  #storm: StormState | undefined;
  /** Something happened that must be stored, and told, at once. */
  urgent = false;

  constructor(board: Board) {
    this.#board = board;
  }

  state(key: string): AlarmState | undefined {
    return this.#states.has(key) ? this.#states.get(key) : this.#board.states.get(key);
  }

  /** False: no device of the gateway has a state. */
  knows(gateway: string): boolean {
    this.#known ??= new Set([...this.#board.states.keys(), ...this.#states.keys()].map(gatewayIn));
    return this.#known.has(gateway);
  }

  setState(key: string, state: AlarmState): void {
    const next = isIdle(state) ? undefined : state;
    if (next) this.#known?.add(gatewayIn(key));
    if (next || this.state(key)) this.#states.set(key, next);
  }

  record(id: string | null): IncidentRecord | undefined {
    if (id === null) return undefined;
    return this.#records.has(id) ? this.#records.get(id) : this.#board.records.get(id);
  }

  isCritical(id: string): boolean {
    return this.record(id)?.incident.severity === 'critical';
  }

  setRecord(record: IncidentRecord): void {
    this.#records.set(record.incident.id, record);
  }

  settle(id: string): void {
    this.#settled.add(id);
  }

  isSettled(id: string): boolean {
    return this.#settled.has(id);
  }

  get sensitivity(): ReadonlyMap<string, number> {
    return this.#board.sensitivity;
  }

  /** From the next draft on. */
  adjust({ key, least }: Adjustment): void {
    this.#least.set(key, least);
  }

  get storm(): StormState {
    return this.#storm ?? this.#board.storm;
  }

  set storm(storm: StormState) {
    this.#storm = storm;
  }

  /** Incidents that this draft touched or settled. */
  touched(): IncidentRecord[] {
    const ids = new Set([...this.#records.keys(), ...this.#settled]);
    return [...ids].flatMap(id => this.record(id) ?? []);
  }

  isNew(id: string): boolean {
    return !this.#board.records.has(id);
  }

  /** All that there would be. */
  incidents(): Incident[] {
    const ids = new Set([...this.#board.records.keys(), ...this.#records.keys()]);
    return [...ids].flatMap(id => this.record(id)?.incident ?? []);
  }

  /** Forgets the oldest closed incidents beyond `keep`. */
  prune(keep: number): void {
    const known = new Set([...this.#board.records.keys(), ...this.#records.keys()]);
    if (known.size <= keep) return;
    const closed = [...known]
      .flatMap(id => this.record(id)?.incident ?? [])
      .filter(incident => incident.state === 'closed')
      .sort((a, b) => a.openedMs - b.openedMs);
    for (const { id } of closed.slice(0, Math.max(0, closed.length - keep))) this.#records.set(id, undefined);
  }

  /** All that the store does not have yet, this draft included. */
  operations(): Operation[] {
    const own: Operation[] = [];
    for (const [key, value] of this.#states) own.push({ key: statePrefix + key, value });
    for (const [id, value] of this.#records) own.push({ key: recordPrefix + id, value });
    for (const [key, value] of this.#least) own.push({ key: leastPrefix + key, value });
    if (this.#storm) own.push({ key: stormKey, value: this.#storm });
    const mine = new Set(own.map(operation => operation.key));
    const older = [...this.#board.unsaved].filter(key => !mine.has(key));
    return [...older.map(key => ({ key, value: this.#board.valueOf(key) })), ...own];
  }

  /** Makes it what the board says. @param saved  the store has `operations()` */
  merge(saved: boolean): void {
    const { unsaved, states, records } = this.#board;
    if (saved) unsaved.clear();
    else for (const { key } of this.operations()) unsaved.add(key);
    for (const [key, state] of this.#states) replace(states, key, state);
    for (const [id, record] of this.#records) replace(records, id, record);
    for (const [key, least] of this.#least) replace(this.#board.sensitivity, key, least);
    this.#board.storm = this.storm;
  }
}

/** Incidents from before their detectors were kept have none. */
interface StoredRecord extends Omit<IncidentRecord, 'incident'> {
  readonly incident: Omit<Incident, 'detectors'> & Partial<Pick<Incident, 'detectors'>>;
}

function withDetectors(record: StoredRecord): IncidentRecord {
  const { incident } = record;
  return { ...record, incident: { ...incident, detectors: incident.detectors ?? detectorsOf(incident) } };
}

function replace<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
