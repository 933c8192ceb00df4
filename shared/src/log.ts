import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines on standard error, so that standard output stays free for results. */
export function createLogger(name: string, level: LogLevel = 'info'): Logger {
  return pino({ name, level, base: { name, pid: process.pid } }, pino.destination({ fd: 2, sync: true }));
}

/** For tests and tools that want no log. */
export const silentLogger: Logger = pino({ level: 'silent' });
