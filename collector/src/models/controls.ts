/** What the API and the commands may see of models, and do with them. */
import type { ShadowPolicy } from '@edgeward/shared/models/manifest';
import { bytesOf } from '@edgeward/shared/models/manifest';
import type { Gateways } from '../gateways.js';
import type { Journal } from '../journal/journal.js';
import type { Trainings } from '../training/trainings.js';
import type {
  AssignedView,
  BundleView,
  GatewayModelView,
  ModelControls,
  ModelsView,
  ModelTarget,
  TrainingOrder,
  TrainingView,
} from '../views.js';
import type { Assigned, Assignments } from './assignments.js';
import type { Distribution } from './distribution.js';
import type { ModelRegistry, Registered } from './registry.js';

export interface ModelControlsOptions {
  readonly registry: ModelRegistry;
  readonly assignments: Assignments;
  readonly distribution: Distribution;
  readonly gateways: Gateways;
  readonly journal: Pick<Journal, 'tell'>;
  /** For those who are assigned by way of a shadow run. */
  readonly shadow: ShadowPolicy;
  readonly trainings: () => Pick<Trainings, 'view' | 'start'>;
}

export class Models implements ModelControls {
  readonly #options: ModelControlsOptions;

  constructor(options: ModelControlsOptions) {
    this.#options = options;
  }

  view(): ModelsView {
    const { registry, assignments, gateways } = this.#options;
    return {
      bundles: registry.all().map(bundleView),
      assignments: assignments.all().map(one => this.#assignedView(one)),
      gateways: gateways.all().flatMap(gatewayModels),
      trainings: this.#options.trainings().view(),
    };
  }

  async add(files: Readonly<Record<string, Uint8Array>>): Promise<BundleView> {
    const { registry, assignments } = this.#options;
    const added = await registry.add(files);
    await registry.prune(new Set([...assignments.used, added.id]));
    return bundleView(added);
  }

  async assign(target: ModelTarget, revision: string, byShadow: boolean): Promise<AssignedView | undefined> {
    const { registry, assignments, shadow } = this.#options;
    const { type, gateway } = target;
    const bundle = registry.find(type, revision);
    if (!bundle) return undefined;
    const ordered = { type, gateway, bundle: bundle.id, shadow: byShadow ? shadow : undefined };
    const assigned = await assignments.assign(ordered, before => this.#wasRun(before));
    return this.#ordered(assigned, 'was assigned');
  }

  async rollBack({ type, gateway }: ModelTarget): Promise<AssignedView | undefined> {
    const { registry, assignments } = this.#options;
    const isThere = (bundle: string) => registry.get(bundle) !== undefined;
    const assigned = await assignments.rollBack(type, gateway, isThere);
    return assigned && this.#ordered(assigned, 'was rolled back to');
  }

  /** By what gateways say of it: no rollback leads to what they refused, or tried beside another model only. */
  #wasRun({ order, bundle, shadow }: Assigned): boolean {
    const reports = this.#options.gateways.all().flatMap(({ report }) => report?.deployments ?? []);
    const states = reports.filter(one => one.order === order).map(({ state }) => state);
    if (bundle === null || states.includes('active')) return true;
    return shadow === undefined && !states.some(state => state === 'refused' || state === 'rolled-back');
  }

  train(order: TrainingOrder): TrainingView {
    return this.#options.trainings().start(order);
  }

  /** To all that it is for, also to those that are away: the broker keeps it for them. */
  async #ordered(assigned: Assigned, what: string): Promise<AssignedView> {
    const { distribution, gateways, journal } = this.#options;
    const { type, gateway } = assigned;
    const ids = gateway === null ? gateways.all().map(({ id }) => id) : [gateway];
    for (const id of ids) await distribution.announce(id);
    const view = this.#assignedView(assigned);
    const model = view.revision ?? 'what is configured there';
    await journal.tell('model', `For ${type}, ${model} ${what} (${gateway ?? 'all gateways'}).`, { type });
    return view;
  }

  #assignedView({ type, gateway, bundle, order, atMs, former, shadow }: Assigned): AssignedView {
    const revisionOf = (id: string | null | undefined) =>
      (id && this.#options.registry.get(id)?.manifest.revision) || null;
    const by = shadow === undefined ? 'at once' : 'after a shadow run';
    return { type, gateway, order, atMs, by, revision: revisionOf(bundle), former: revisionOf(former[0]) };
  }
}

function bundleView({ id, manifest, name, addedMs }: Registered): BundleView {
  const { type, revision, files, signature } = manifest;
  return {
    id,
    type,
    revision,
    name,
    addedMs,
    bytes: bytesOf(manifest),
    files: files.map(file => file.name),
    signed: signature !== undefined,
  };
}

/** What a gateway last reported: what it runs, and how far it has come with what it should run. */
function gatewayModels({ id, report }: ReturnType<Gateways['all']>[number]): GatewayModelView[] {
  const { models = {}, deployments = [] } = report ?? {};
  const types = new Set([...Object.keys(models), ...deployments.map(({ type }) => type)]);
  return [...types].sort().map(type => {
    const told = deployments.find(one => one.type === type);
    return {
      gateway: id,
      type,
      inUse: models[type] ?? null,
      wanted: told?.revision ?? null,
      state: told?.state ?? 'as configured',
      doneBytes: told?.doneBytes ?? null,
      bytes: told?.bytes ?? null,
      code: told?.code ?? null,
      text: told?.text ?? null,
      shadow: told?.shadow ?? null,
      reportedMs: report?.atMs ?? 0,
    };
  });
}
