/** Who gets a mail, and when: routes, quiet hours, digests. */
import { getOrMake } from '@edgeward/shared/maps';
import type { Incident, Severity } from '../alerts/incident.js';
import type { MailConfig } from './config.js';

/** Those of every route that takes the incident; of no route at all: those of `to`. Each once, in that order. */
export function recipientsOf(
  { to, routes }: MailConfig,
  { severity, site }: Pick<Incident, 'severity' | 'site'>,
): string[] {
  const taking = routes.filter(
    ({ severities, sites }) =>
      (severities?.includes(severity) ?? true) && (sites?.some(one => one === site) ?? true),
  );
  return [...new Set(taking.length === 0 ? to : taking.flatMap(route => route.to))];
}

/** Whether a mail of this severity has to wait for a digest now. */
export function isHeld(config: MailConfig, severity: Severity, nowMs: number): boolean {
  if (severity === 'critical') return false;
  return isQuiet(config, nowMs) || inDigest(config, severity);
}

export function isQuiet({ quietHours }: Pick<MailConfig, 'quietHours'>, nowMs: number): boolean {
  if (!quietHours) return false;
  const { from, to, timeZone } = quietHours;
  const now = clockIn(timeZone, nowMs);
  return from < to ? now >= from && now < to : now >= from || now < to;
}

/** Whether mails that wait since then are due, outside of the quiet hours. */
export function isDigestDue(config: MailConfig, severity: Severity, sinceMs: number, nowMs: number): boolean {
  if (isQuiet(config, nowMs)) return false;
  return !inDigest(config, severity) || nowMs - sinceMs >= (config.digest?.everyMs ?? 0);
}

function inDigest({ digest }: MailConfig, severity: Severity): boolean {
  return digest?.severities.some(one => one === severity) ?? false;
}

/** `06:30` */
function clockIn(timeZone: string, ms: number): string {
  return getOrMake(formats, timeZone, () => formatOf(timeZone)).format(ms);
}

/** One takes a tenth of a millisecond to make, and each mail that waits asks. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
}
