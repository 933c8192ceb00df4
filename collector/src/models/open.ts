/** Everything about models that a collector has, put together. */
import type { Clock } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { ShadowPolicy } from '@edgeward/shared/models/manifest';
import type { IncidentEngine } from '../alerts/engine.js';
import type { Gateways } from '../gateways.js';
import type { Journal } from '../journal/journal.js';
import type { TrainingConfig } from '../training/config.js';
import { Runs } from '../training/runs.js';
import { Trainings } from '../training/trainings.js';
import { Assignments } from './assignments.js';
import { Models } from './controls.js';
import { Distribution, type DistributionOptions } from './distribution.js';
import { ModelRegistry } from './registry.js';

export interface OpenOptions extends Pick<DistributionOptions, 'publish' | 'log'> {
  readonly directory: string;
  readonly gateways: Gateways;
  readonly journal: Journal;
  readonly shadow: ShadowPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  /** Name of the collector. */
  readonly name: string;
  readonly training: TrainingConfig;
  readonly engine: Pick<IncidentEngine, 'list'>;
}

export async function openModels(options: OpenOptions) {
  const { directory, gateways, journal, publish, shadow, clock, log, name, training, engine } = options;
  const assignments = await Assignments.open(directory, clock, log);
  const registry = await ModelRegistry.open(directory, clock, log);
  const distribution = new Distribution({ registry, assignments, publish, log });
  announceToNewLinks(gateways, distribution);
  const controls = new Models({
    registry,
    assignments,
    distribution,
    gateways,
    journal,
    shadow,
    trainings: () => trainings,
  });
  const trainings: Trainings = new Trainings({
    config: training,
    collector: name,
    runs: await Runs.open(
      directory,
      training.schedule.map(({ deviceType }) => deviceType),
      log,
    ),
    journal,
    models: controls,
    incidents: () => engine.list(Number.POSITIVE_INFINITY),
    clock,
    log,
  });
  return { registry, distribution, controls, trainings };
}

/** A broker that was started anew has forgotten what it kept; every link begins with a word that says it is new. */
function announceToNewLinks(gateways: Gateways, distribution: Distribution): void {
  const links = new Map<string, string>();
  gateways.subscribe(change => {
    if (change.kind !== 'gateway') return;
    const state = gateways.get(change.id)?.state;
    if (!state?.online) return;
    const link = `${state.epoch}/${state.link}`;
    if (links.get(change.id) === link && !distribution.owes(change.id)) return;
    links.set(change.id, link);
    void distribution.announce(change.id);
  });
}
