import type { Clock } from '@edgeward/shared/contracts';
import type { Ingest } from './ingest.js';
import type { Journal } from './journal/journal.js';
import type { Link } from './link.js';
import type { Finding } from './pipeline/finding.js';
import type { ConsumerState } from './runtime/view.js';
import { trainingText } from './training/text.js';
import type { HealthView, TrainingView } from './views.js';

/** A sink's loss is shown among the checks for so long. */
const lossShownMs = 24 * 3600 * 1000;

/** Of what cannot be told as incidents. */
const mostUntold = 20;

/** What follows the journal. */
interface Lagging {
  readonly name: string;
  readonly lag: number;
  readonly failure: string | null;
  readonly state: ConsumerState;
}

interface HealthParts {
  readonly ingest: Pick<Ingest, 'failure'>;
  readonly journal: Pick<Journal, 'damage' | 'losses'>;
  readonly broker: Pick<Link, 'status'> | undefined;
  readonly followers: readonly Lagging[];
  readonly trainings: readonly TrainingView[];
  /** What the pipeline's rules have found and cannot tell as incidents. */
  readonly untold: readonly Pick<Finding, 'kind' | 'device' | 'title'>[];
  readonly stopping: boolean;
  readonly clock: Clock;
}

/**
 * A sink that fails or has ended, a journal that has lost blocks, or a training that was refused, is told, but does not make the collector unready: gateways
 * can deliver all the same.
 */
export function healthOf(parts: HealthParts): HealthView {
  const { ingest, journal, broker, followers, trainings, untold, stopping, clock } = parts;
  const writable = {
    name: 'journal',
    ok: ingest.failure === null,
    detail: ingest.failure ?? 'writable',
  };
  const listening = {
    name: 'broker',
    ok: broker?.status.ok === true && !stopping,
    detail: stopping ? 'stopping' : (broker?.status.detail ?? 'starting'),
  };
  const sinks = followers.map(({ name, failure, lag, state }) => ({
    name: `sink:${name}`,
    ok: failure === null && (state !== 'stopped' || stopping),
    detail: failure ?? `${state === 'running' ? '' : `${state}, `}${lag} deliveries behind`,
  }));
  const damage = journal.damage.map(detail => ({ name: 'journal:damage', ok: false, detail }));
  const losses = [...journal.losses.all()]
    .filter(([, { lastMs }]) => clock.now() - lastMs < lossShownMs)
    .map(([name, { blocks, rows }]) => ({
      name: `sink:${name}:lost`,
      ok: false,
      detail: `${blocks} blocks with ${rows} rows never reached it: it lagged until the journal gave its blocks up`,
    }));
  // One that somebody asked for is told to whom.
  const scheduled = trainings
    .filter(({ by, nextMs }) => by === 'schedule' && nextMs !== null)
    .map(one => ({
      name: `training:${one.type}`,
      ok: one.state !== 'refused' && one.state !== 'failed',
      detail: trainingText(one),
    }));
  const found = untold.slice(0, mostUntold).map(({ kind, device, title }) => ({
    name: `pipeline:${device}:${kind}`,
    ok: false,
    detail: `${title}; no incident and no mail says so, since the store of incidents cannot be written`,
  }));
  const checks = [writable, ...damage, listening, ...sinks, ...losses, ...scheduled, ...found];
  return { live: true, ready: writable.ok && listening.ok, checks };
}
