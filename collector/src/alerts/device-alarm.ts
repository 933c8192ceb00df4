/**
 * One device between "all is well" and "somebody should come", in row time.
 *
 * Rows count in the order in which they come; times are only compared, so rows that come out of order are
 * counted like any other. A device of which nothing is to be remembered has no state at all.
 */
import type { AlertsConfig } from './config.js';
import type { Finding, NotedRow, QuietRows, Step } from './findings.js';

export interface Flag {
  readonly timeMs: number;
  readonly epoch: string;
  readonly row: number;
  readonly findings: readonly Finding[];
  /** How many rows of the device came after it. */
  readonly age: number;
}

export interface AlarmState {
  readonly phase: 'watching' | 'open' | 'closed';
  /** Flagged rows among the last `openWithin`, oldest first; unused while open. */
  readonly recent: readonly Flag[];
  /** Rows of bad quality without a break, up to now. */
  readonly badRows: number;
  readonly lastFlagMs: number;
  readonly closedMs: number;
  /** The open incident, or the closed one that may reopen. */
  readonly incidentId: string | null;
}

export type Change =
  | { readonly kind: 'alarm'; readonly flags: readonly Flag[]; readonly reopens: boolean }
  | { readonly kind: 'flagged'; readonly flag: Flag }
  | { readonly kind: 'closed'; readonly atMs: number; readonly silent: boolean }
  /** The closed incident will not reopen any more. */
  | { readonly kind: 'settled' };

export interface Observed {
  readonly state: AlarmState;
  readonly changes: readonly Change[];
}

export const idle: AlarmState = {
  phase: 'watching',
  recent: [],
  badRows: 0,
  lastFlagMs: 0,
  closedMs: 0,
  incidentId: null,
};

/** Nothing to remember. */
export function isIdle(state: AlarmState): boolean {
  return state.phase === 'watching' && state.recent.length === 0 && state.badRows === 0;
}

export function observe(state: AlarmState, step: Step, config: AlertsConfig): Observed {
  return 'quiet' in step ? quietRows(state, step, config) : notedRow(state, step, config);
}

function quietRows(state: AlarmState, rows: QuietRows, config: AlertsConfig): Observed {
  const aged = { ...state, badRows: 0, recent: age(state.recent, rows.quiet, config) };
  if (state.phase === 'open') return closeIfQuiet(aged, rows, config);
  return settleIfOld(aged, rows.latestMs, config);
}

function closeIfQuiet(state: AlarmState, rows: QuietRows, config: AlertsConfig): Observed {
  if (rows.latestMs - state.lastFlagMs >= config.closeAfterMs) {
    const closed = close(state, config, false);
    const settled = settleIfOld(closed.state, rows.latestMs, config);
    return { state: settled.state, changes: [...closed.changes, ...settled.changes] };
  }
  // Far behind the last flagged row: the device's clock was set back, and waiting for it could take years.
  const setBack = state.lastFlagMs - rows.lastMs > config.reopenWithinMs;
  return { state: setBack ? { ...state, lastFlagMs: rows.lastMs } : state, changes: [] };
}

function close(state: AlarmState, config: AlertsConfig, silent: boolean): Observed {
  const atMs = state.lastFlagMs + config.closeAfterMs;
  return {
    state: { ...state, phase: 'closed', closedMs: atMs, recent: [], badRows: 0 },
    changes: [{ kind: 'closed', atMs, silent }],
  };
}

function settleIfOld(state: AlarmState, timeMs: number, config: AlertsConfig): Observed {
  if (state.phase !== 'closed' || timeMs - state.closedMs <= config.reopenWithinMs) {
    return { state, changes: [] };
  }
  return { state: { ...state, phase: 'watching', incidentId: null }, changes: [{ kind: 'settled' }] };
}

function notedRow(before: AlarmState, row: NotedRow, config: AlertsConfig): Observed {
  const badRows = row.quality ? before.badRows + 1 : 0;
  const counts = row.quality !== undefined && badRows >= config.qualityAfter;
  const findings = counts && row.quality ? [...row.findings, row.quality] : row.findings;
  if (findings.length === 0) {
    const seen = quietRows(before, { quiet: 1, latestMs: row.timeMs, lastMs: row.timeMs }, config);
    return { ...seen, state: { ...seen.state, badRows } };
  }
  const flag: Flag = { timeMs: row.timeMs, epoch: row.epoch, row: row.row, findings, age: 0 };
  return flaggedRow({ ...before, badRows }, flag, config);
}

function flaggedRow(before: AlarmState, flag: Flag, config: AlertsConfig): Observed {
  const lastFlagMs = laterOrSetBack(before.lastFlagMs, flag.timeMs, config);
  if (before.phase !== 'open') return watchedRow(before, flag, lastFlagMs, config);
  if (flag.timeMs - before.lastFlagMs <= silenceMs(config)) {
    return { state: { ...before, lastFlagMs }, changes: [{ kind: 'flagged', flag }] };
  }
  // No row came in between, or it would have closed already: what goes on so much later is another matter.
  const closed = close(before, config, true);
  const next = watchedRow({ ...closed.state, badRows: before.badRows }, flag, lastFlagMs, config);
  return { state: next.state, changes: [...closed.changes, ...next.changes] };
}

function watchedRow(before: AlarmState, flag: Flag, lastFlagMs: number, config: AlertsConfig): Observed {
  const { state, changes } = settleIfOld(before, flag.timeMs, config);
  const recent = [...age(state.recent, 1, config), flag];
  if (!isAlarm(recent, config)) return { state: { ...state, recent, lastFlagMs }, changes };
  const reopens = state.phase === 'closed';
  return {
    state: { ...state, phase: 'open', recent: [], lastFlagMs },
    changes: [...changes, { kind: 'alarm', flags: recent, reopens }],
  };
}

/** A device that sends no row for that long has fallen silent. */
function silenceMs(config: AlertsConfig): number {
  return 3 * config.closeAfterMs;
}

function laterOrSetBack(lastMs: number, timeMs: number, config: AlertsConfig): number {
  return timeMs > lastMs || lastMs - timeMs > config.reopenWithinMs ? timeMs : lastMs;
}

/** Somebody wrote the rule down, so two rows of certainty are enough. */
const certainRows = 2;

function isAlarm(recent: readonly Flag[], config: AlertsConfig): boolean {
  if (recent.length >= config.openAfter) return true;
  // It is the word on many rows, or on one that comes in hours, and has its own quiet period.
  if (recent.some(flag => flag.findings.some(one => one.detector === 'surprise'))) return true;
  const certain = recent.filter(flag => flag.findings.some(one => one.detector === 'rule' && one.score >= 1));
  return certain.length >= certainRows;
}

function age(flags: readonly Flag[], rows: number, config: AlertsConfig): readonly Flag[] {
  if (flags.length === 0) return flags;
  return flags.map(flag => ({ ...flag, age: flag.age + rows })).filter(flag => flag.age < config.openWithin);
}

/**
 * What silence means, by the wall clock: rows say nothing when none come.
 * @param silentMs       since the device's last row was seen here
 * @param sinceClosedMs  since the incident closed here
 */
export function observeSilence(
  state: AlarmState,
  silentMs: number,
  sinceClosedMs: number,
  config: AlertsConfig,
): Observed {
  if (state.phase === 'closed' && sinceClosedMs > config.reopenWithinMs) {
    return { state: { ...state, phase: 'watching', incidentId: null }, changes: [{ kind: 'settled' }] };
  }
  if (silentMs <= silenceMs(config)) return { state, changes: [] };
  if (state.phase === 'open') return close(state, config, true);
  return { state: state.phase === 'watching' ? idle : state, changes: [] };
}
