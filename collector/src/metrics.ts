/**
 * What the collector tells Prometheus. Read when scraped: nothing is counted twice, and nothing costs anything between
 * scrapes. No label has values that a gateway chooses freely, and none a device's name.
 */
import { addDiskMetrics } from '@edgeward/shared/metrics/disk-metrics';
import { LoopDelay } from '@edgeward/shared/metrics/loop-delay';
import { type MetricDescription, Metrics } from '@edgeward/shared/metrics/metrics';
import { addProcessMetrics } from '@edgeward/shared/metrics/process-metrics';
import { version } from '@edgeward/shared/version';
import type { IncidentEngine } from './alerts/engine.js';
import type { Gateways } from './gateways.js';
import type { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import type { Link } from './link.js';
import { addAlertMetrics } from './metrics/alert-metrics.js';
import { addFleetMetrics } from './metrics/fleet-metrics.js';
import { addIntakeMetrics } from './metrics/intake-metrics.js';
import { addJournalMetrics } from './metrics/journal-metrics.js';
import { addLedgerMetrics } from './metrics/ledger-metrics.js';
import { addSinkMetrics, type Followed } from './metrics/sink-metrics.js';
import { addTrainingMetrics } from './metrics/training-metrics.js';
import { addWordingMetrics } from './metrics/wording-metrics.js';
import type { Notifiers } from './notifiers/http/notifiers.js';
import type { MailQueue } from './notifiers/mail-queue.js';
import type { Trainings } from './training/trainings.js';
import type { WordingCounts } from './wording/wordings.js';

export interface MetricSources {
  readonly ingest: Pick<Ingest, 'counts' | 'delays' | 'failure' | 'queuedBytes' | 'traffic'>;
  readonly journal: Journal;
  readonly broker: () => Pick<Link, 'connections' | 'refusals' | 'status'> | undefined;
  readonly gateways: Pick<Gateways, 'all'>;
  /** What follows the journal now. */
  readonly followers: () => readonly Followed[];
  readonly engine: Pick<IncidentEngine, 'counts'>;
  readonly mails: Pick<MailQueue, 'counts' | 'delays'>;
  readonly notifiers: Pick<Notifiers, 'counts' | 'totals'>;
  readonly trainings: Pick<Trainings, 'standing'>;
  /** Undefined where no language model is configured. */
  readonly wordings: () => WordingCounts | undefined;
  readonly live: { readonly bytes: number };
  /** Why nothing may be stored now; null = there is room. */
  readonly blocked: () => string | null;
  readonly dataDir: string;
  readonly journalMaxBytes: number;
  readonly queueMaxBytes: number;
  /** Gateways with series of their own. */
  readonly maxGateways: number;
}

export class CollectorMetrics implements Disposable {
  readonly #metrics: Metrics;
  readonly #loop = new LoopDelay();

  constructor(sources: MetricSources) {
    this.#metrics = collectorMetrics(
      () => sources,
      () => this.#loop,
    );
  }

  /** Prometheus text format. */
  text(): Promise<string> {
    return this.#metrics.text();
  }

  [Symbol.dispose](): void {
    this.#loop[Symbol.dispose]();
  }
}

/** What there is, for the documentation. */
export function describeMetrics(): readonly MetricDescription[] {
  const none = () => {
    throw new TypeError('metrics are only described here');
  };
  return collectorMetrics(none, none).descriptions;
}

function collectorMetrics(sources: () => MetricSources, loop: () => LoopDelay): Metrics {
  const metrics = new Metrics();
  metrics.gauges('collector_info', 'Always 1', ['version'], () => [[version, 1]]);
  addIntakeMetrics(metrics, sources);
  addJournalMetrics(metrics, sources);
  addSinkMetrics(metrics, sources);
  addLedgerMetrics(metrics, sources);
  addAlertMetrics(metrics, sources);
  addWordingMetrics(metrics, sources);
  addTrainingMetrics(metrics, sources);
  addFleetMetrics(metrics, sources);
  addDiskMetrics(metrics, 'collector', () => sources().dataDir);
  addProcessMetrics(metrics, loop);
  return metrics;
}
