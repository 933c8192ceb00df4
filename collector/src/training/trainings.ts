/** Trains models from the journal, one after the other: when somebody asks, and by the schedule. */
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, type ErrorCode, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { Incident } from '../alerts/incident.js';
import { HttpError } from '../api/errors.js';
import type { Journal } from '../journal/journal.js';
import type { BundleView, ModelControls, TrainingOrder, TrainingView } from '../views.js';
import type { ScheduledTraining, TrainingConfig } from './config.js';
import type { HistoryRequest, TrainedHistory } from './request.js';
import type { Run, Runs } from './runs.js';
import { trainingText } from './text.js';
import { type TrainerOptions, trainFromJournal, unknownTypeText } from './trainer.js';

export interface TrainingsOptions {
  readonly config: TrainingConfig;
  /** Of this collector, for the card. */
  readonly collector: string;
  readonly runs: Runs;
  readonly journal: TrainerOptions['journal'] & Pick<Journal, 'tell' | 'types'>;
  readonly models: Pick<ModelControls, 'view' | 'add' | 'assign'>;
  readonly incidents: () => readonly Incident[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly startProcess?: TrainerOptions['startProcess'];
}

const hourMs = 3_600_000;
/** Whoever has just started has other things to do. */
const firstAfterMs = 60_000;
const lookEveryMs = 10_000;

export class Trainings {
  readonly #options: TrainingsOptions;
  readonly #startedMs: number;
  readonly #stop = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: TrainingsOptions) {
    this.#options = options;
    this.#startedMs = options.clock.now();
  }

  /** The last of each type, and what is still to come. */
  view(): TrainingView[] {
    const last = new Map<string, Run>();
    for (const run of this.#options.runs.all()) if (!last.has(run.type)) last.set(run.type, run);
    return [
      ...[...last.values()].map(run => this.#viewOf(run)),
      ...this.#scheduled().filter(({ type }) => !last.has(type)),
    ];
  }

  /** What each schedule came to last, whatever somebody tried meanwhile; of other types the last. */
  standing(): TrainingView[] {
    const scheduled = this.#scheduled();
    return [...scheduled, ...this.view().filter(({ nextMs }) => nextMs === null)];
  }

  #scheduled(): TrainingView[] {
    const { runs, config } = this.#options;
    return config.schedule.map(({ deviceType: type }) =>
      this.#viewOf(runs.get(type, 'schedule') ?? blankTraining(type, 'schedule')),
    );
  }

  #viewOf(run: Omit<TrainingView, 'nextMs'>): TrainingView {
    return { ...run, nextMs: this.#nextMs(run.type) };
  }

  /**
   * Begins one that somebody asks for; `view` tells what becomes of it.
   * @throws EW_TRAIN_INPUT for a type of which there are no rows; EW_HTTP_BUSY while another one runs
   */
  start(order: TrainingOrder): TrainingView {
    const { types } = this.#options.journal;
    if (!types.has(order.type))
      throw new HttpError('EW_TRAIN_INPUT', unknownTypeText(order.type, types), {
        field: 'type',
        value: order.type,
      });
    const running = this.#options.runs.all().find(({ state }) => state === 'running');
    if (this.#running || this.#stop.signal.aborted)
      throw new HttpError('EW_HTTP_BUSY', `A model of ${running?.type ?? 'another type'} is being trained.`, {
        remedy: 'Ask again once it is done: GET /api/models tells.',
      });
    void this.#begin(order, 'demand');
    return this.view().find(({ type }) => type === order.type)!;
  }

  /** Carries out the schedule until stop; then what runs is ended. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!stop.aborted) {
      const due = this.#due();
      if (due && !this.#running) {
        const { deviceType: type, everyHours: _, ...rest } = due;
        void this.#begin({ type, acceptChange: false, ...rest }, 'schedule');
      }
      await clock.sleep(lookEveryMs, stop);
    }
    this.#stop.abort();
    await this.#running?.catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'a training failed'),
    );
  }

  /** Resolves once nothing runs. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** The one that is overdue the longest. */
  #due(): ScheduledTraining | undefined {
    const nowMs = this.#options.clock.now();
    const times = this.#options.config.schedule.map(one => ({ one, ms: this.#nextMs(one.deviceType)! }));
    return times.filter(({ ms }) => ms <= nowMs).sort((a, b) => a.ms - b.ms)[0]?.one;
  }

  /** Null = it has no schedule. A clock that was set back does not put it off. */
  #nextMs(type: string): number | null {
    const { config, runs, clock } = this.#options;
    const scheduled = config.schedule.find(({ deviceType }) => deviceType === type);
    if (!scheduled) return null;
    const first = this.#startedMs + firstAfterMs;
    const run = runs.get(type, 'schedule');
    if (!run) return first;
    return Math.max(first, Math.min(run.startedMs, clock.now()) + waitMsAfter(run, scheduled));
  }

  #begin(order: TrainingOrder, by: Run['by']): Promise<void> {
    const { clock } = this.#options;
    const started = { ...blankTraining(order.type, by), state: 'running' as const, startedMs: clock.now() };
    const noted = this.#put(started);
    const running = noted
      .then(() => this.#train(order, started))
      .then(run => this.#end(run))
      .finally(() => {
        this.#running = undefined;
      });
    this.#running = running;
    return running;
  }

  async #train(order: TrainingOrder, run: Run): Promise<Run> {
    try {
      const { journal, clock, config, startProcess } = this.#options;
      const options = { journal, clock, maxMs: config.maxMinutes * 60_000, startProcess };
      const trained = await trainFromJournal(this.#request(order, run), options, this.#stop.signal);
      return await this.#keep(order, run, trained);
    } catch (error) {
      const code = error instanceof EdgewardError ? error.code : 'EW_TRAIN_FAILED';
      return { ...run, state: stateAfter(code), code, text: messageOf(error) };
    }
  }

  #request({ type, hours, method, acceptChange }: TrainingOrder, { by, startedMs }: Run): HistoryRequest {
    const { config, collector, incidents } = this.#options;
    const { maxRows, maxLeftOut } = config;
    const least = by === 'schedule' ? config : { minRows: 0, minHours: 0 };
    return {
      type,
      sinceMs: hours === undefined ? Number.NEGATIVE_INFINITY : startedMs - hours * hourMs,
      method,
      acceptChange,
      collector,
      troubles: incidents().flatMap(troubleOf(type)),
      limits: { maxRows, maxLeftOut, minRows: least.minRows, minHours: least.minHours },
    };
  }

  /**
   * What is there already is not added, and not assigned, once more; by the schedule not at all: it may be what somebody
   * has rolled back.
   */
  async #keep(order: TrainingOrder, run: Run, { files, ...trained }: TrainedHistory): Promise<Run> {
    const { models } = this.#options;
    const { revision } = trained;
    const { type } = order;
    const isOurs = (one: Pick<BundleView, 'type'> & { revision: string | null }) =>
      one.type === type && one.revision === revision;
    const { bundles, assignments } = models.view();
    const isKnown = bundles.some(isOurs);
    if (!isKnown) await models.add(files);
    const isAssigned = assignments.some(one => one.gateway === null && isOurs(one));
    const assigned = order.assign && !isAssigned && !(isKnown && run.by === 'schedule');
    if (assigned) await models.assign({ type, gateway: null }, revision, true);
    const state = isKnown ? ('unchanged' as const) : ('trained' as const);
    const { rows, leftOut, fieldsLeftOut } = trained;
    return { ...run, state, rows, leftOut, fieldsLeftOut, revision, assigned };
  }

  async #end(run: Run): Promise<void> {
    const { log, journal, clock } = this.#options;
    const ended: Run = { ...run, endedMs: clock.now() };
    await this.#put(ended);
    const { type, state, rows, revision, code, text } = ended;
    const seconds = (ended.endedMs! - ended.startedMs) / 1000;
    if (code === null) log.info({ type, revision, rows, seconds, state }, 'a model was trained');
    else log.warn({ type, state, code, reason: text, seconds }, 'no model was trained');
    await journal.tell('model', trainingText(ended), { type });
  }

  async #put(run: Run): Promise<void> {
    await this.#options.runs
      .put(run)
      .catch((error: unknown) =>
        this.#options.log.warn({ error: messageOf(error) }, 'a training could not be noted on the disk'),
      );
  }
}

/** Drift is no trouble of a device: it is what a new model is for. */
function troubleOf(type: string) {
  return ({ gateway, device, deviceType, detector, firstMs, lastMs }: Incident) =>
    deviceType === type && detector !== 'drift'
      ? [{ key: `${gateway}/${device}`, fromMs: firstMs, toMs: lastMs }]
      : [];
}

/** One that was stopped is done anew as soon as it may; one during which all ended may be why, and waits for a while. */
function waitMsAfter({ state, code }: Run, { everyHours }: ScheduledTraining): number {
  const everyMs = everyHours * hourMs;
  if (state === 'trained' || state === 'unchanged') return everyMs;
  if (state === 'interrupted') return code === 'EW_STOPPED' ? 0 : Math.min(everyMs, hourMs);
  return Math.min(everyMs, Math.max(hourMs, everyMs / 8));
}

function stateAfter(code: ErrorCode): Run['state'] {
  if (code === 'EW_STOPPED') return 'interrupted';
  return code === 'EW_TRAIN_INPUT' ? 'refused' : 'failed';
}

/** Before it has begun. */
export function blankTraining(type: string, by: Run['by']) {
  return {
    type,
    by,
    state: 'waiting' as const,
    startedMs: null,
    endedMs: null,
    rows: null,
    leftOut: null,
    fieldsLeftOut: null,
    revision: null,
    assigned: false,
    code: null,
    text: null,
  };
}
