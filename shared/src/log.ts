import { type Logger, pino } from 'pino';
import { traceFields } from './trace/log-scope.js';

export type { Logger } from 'pino';
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * JSON lines on standard error, so that standard output stays free for results.
 * @param traced  lines about traced blocks carry `trace_id` and `span_id`
 */
export function createLogger(name: string, level: LogLevel = 'info', traced = false): Logger {
  const base = { name, pid: process.pid };
  const destination = pino.destination({ fd: 2, sync: true });
  return pino({ name, level, base, ...(traced && { mixin: traceFields }) }, destination);
}

/** For tests and tools that want no log. */
export const silentLogger: Logger = pino({ level: 'silent' });
