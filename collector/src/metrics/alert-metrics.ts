import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';

/** Incidents and their mails. */
export function addAlertMetrics(metrics: Metrics, sources: () => MetricSources): void {
  const incidents = () => sources().engine.counts();
  const mails = () => sources().mails.counts();
  metrics.gauges('collector_incidents_open', 'Open incidents', ['severity'], () =>
    Object.entries(incidents().openBySeverity),
  );
  metrics.counters(
    'collector_incidents_opened_total',
    'Incidents opened, by the severity that they opened with',
    ['severity'],
    () => Object.entries(incidents().openedBySeverity),
  );
  metrics.counter('collector_judged_rows_total', 'Rows looked at for alarms', () => incidents().rows);
  metrics.counter(
    'collector_late_rows_total',
    'Of these, rows that came too late to raise one',
    () => incidents().lateRows,
  );
  metrics.gauges(
    'collector_mails',
    'Mails that are stored, at most 1000; kept = there is no SMTP server',
    ['state'],
    () => Object.entries(mails().byState),
  );
  metrics.gauge(
    'collector_mail_oldest_queued_timestamp_seconds',
    'When the oldest mail that waits was queued, Unix time; none while none waits',
    () => {
      const { oldestMs } = mails();
      return oldestMs && oldestMs / 1000;
    },
  );
  metrics.counter(
    'collector_mail_delays_total',
    'Times that a mail could not be sent and was tried again later',
    () => sources().mails.delays,
  );
  const notifiers = () => sources().notifiers.totals();
  metrics.gauges(
    'collector_notifications',
    'Notifications beside mail (Slack, webhooks) that are stored, at most 1000 each',
    ['notifier', 'state'],
    () => sources().notifiers.counts(),
  );
  metrics.counters(
    'collector_notification_delays_total',
    'Times that a notification could not be sent and was tried again later',
    ['notifier'],
    () => notifiers().map(({ name, delays }) => [name, delays]),
  );
  metrics.counters(
    'collector_notifications_lost_total',
    'Notifications that waited and were given up for newer ones, since too many did',
    ['notifier'],
    () => notifiers().map(({ name, lost }) => [name, lost]),
  );
}
