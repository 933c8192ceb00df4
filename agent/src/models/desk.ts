/**
 * Carries out what the collector wants run here: fetch, check, switch, tell. One thing at a time, and a fetch, which may
 * take hours, gives way to all that needs none; whatever goes wrong, the model that is active goes on, and an order
 * that was refused is not tried again by itself.
 */
import { type EngineName, type LoadedModel, openModel } from '@edgeward/models/engines';
import type { Scorer } from '@edgeward/models/scorer';
import { Backoff } from '@edgeward/shared/clock';
import type { Clock, ModelDeployment } from '@edgeward/shared/contracts';
import { isDiskFull } from '@edgeward/shared/disk-full';
import { EdgewardError, isRetryable, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import {
  type Assignment,
  bundleIdOf,
  type ModelManifest,
  parseAnnouncement,
  type Wanted,
} from '@edgeward/shared/models/manifest';
import { ModelChannel } from './channel.js';
import { refusal } from './check-files.js';
import { fetchBundle } from './fetch.js';
import type { Incoming } from './incoming.js';
import { codeOf, type Notice } from './open-models.js';
import type { ModelStore, Outcome } from './store.js';
import { orDispose, Switcher } from './switcher.js';
import { type Ripe, Trials } from './trials.js';

export interface DeskOptions {
  readonly store: ModelStore;
  readonly scorer: Scorer;
  /** Device type → folder. */
  readonly configured: ReadonlyMap<string, string>;
  readonly engine: EngineName;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: Notice) => void;
  /** Something is worth a report. */
  readonly onChange: () => void;
}

/** After what may pass by itself. */
const againAfterMs = 60_000;
/** A full disk may stay so for long, and each try fetches the bundle anew. */
const longestMs = 3_600_000;

interface Retries {
  readonly backoff: Backoff;
  /** What went wrong last. */
  text: string;
}

export class ModelDesk {
  readonly channel: ModelChannel;
  readonly #options: DeskOptions;
  readonly #changed = new Gate();
  readonly #said = new Map<string, ModelDeployment>();
  /** By order: not before, on the monotonic clock. */
  readonly #notBefore = new Map<string, number>();
  /** By order. */
  readonly #retries = new Map<string, Retries>();
  /** Orders whose bundle is not here, or not whole, whatever the store says. */
  readonly #unfetched = new Set<string>();
  readonly #trials: Trials;
  readonly #switcher: Switcher;
  #wanted: readonly Wanted[] = [];
  /** The collector has spoken since the start. */
  #heard = false;
  #current: { readonly order: string; readonly abort: AbortController } | undefined;
  /** Ends the fetch that is under way; it goes on from what has come. */
  #pause: AbortController | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#trials = new Trials({ ...options, onTaken: () => this.#mayBeUrgent() });
    this.#switcher = new Switcher(options);
    this.channel = new ModelChannel(options.clock, payload => this.#announced(payload));
  }

  /** For the report. */
  get deployments(): ModelDeployment[] {
    return [...this.#said.values()].map(said => {
      const shadow = this.#trials.reportOf(said.type);
      return shadow ? { ...said, shadow } : said;
    });
  }

  /** Nothing that is wanted is under way or due. */
  get idle(): boolean {
    return !this.#current && !this.#ripe() && !this.#wanted.some(wanted => this.#isDue(wanted));
  }

  /** Ends on stop; what is half done then goes on at the next start. Never fails: readings do not depend on it. */
  async run(stop: AbortSignal): Promise<void> {
    using _ = this.#changed.openOn(stop);
    const unheard = this.#options.scorer.seen.listen(() => this.#mayBeUrgent());
    await this.#guarded(() => this.#trials.resume(), stop);
    while (!stop.aborted) await this.#guarded(() => this.#step(stop), stop);
    await this.#guarded(() => this.#trials.dispose(), stop);
    unheard();
  }

  async #step(stop: AbortSignal): Promise<void> {
    await this.#endTrials();
    await this.#trials.save();
    const ripe = this.#ripe();
    const due = this.#wanted.filter(wanted => this.#isDue(wanted));
    const next = due.find(wanted => !this.#needsFetch(wanted)) ?? due[0];
    if (ripe) await this.#settle(ripe);
    else if (next) await this.#carryOut(next, stop);
    else await this.#changed.wait(stop, this.#untilDueMs());
  }

  #ripe(): Ripe | undefined {
    return this.#trials.ripe(order => !this.#mustWait(order));
  }

  #mayBeUrgent(): void {
    if (this.#pause && this.#isUrgent()) this.#pause.abort();
    this.#changed.open();
  }

  /** A model that storms must go, whatever is on its way for other devices. */
  #isUrgent(): boolean {
    return (
      this.#ripe() !== undefined ||
      this.#wanted.some(wanted => this.#isDue(wanted) && !this.#needsFetch(wanted))
    );
  }

  /** A disk that takes nothing, for one. */
  async #guarded(act: () => Promise<void>, stop: AbortSignal): Promise<void> {
    try {
      await act();
    } catch (error) {
      const { log, clock } = this.#options;
      log.error({ err: error }, 'models cannot be looked after now; trying again');
      await clock.sleep(againAfterMs, stop);
    }
  }

  /** Of orders that are not the last word any more. */
  async #endTrials(): Promise<void> {
    if (!this.#heard) return;
    const orders = new Set(this.#wanted.map(({ order }) => order));
    for (const { type, order } of this.#trials.all()) {
      if (orders.has(order)) continue;
      await this.#trials.end(type);
      await this.#trials.forget(type);
    }
  }

  #announced(payload: Uint8Array): void {
    const { log, store } = this.#options;
    const wanted = parseAnnouncement(payload);
    if (!wanted) {
      log.warn({ bytes: payload.length }, 'ignored an announcement of models that is not understood');
      return;
    }
    this.#wanted = wanted;
    this.#heard = true;
    for (const type of this.#said.keys()) if (!wanted.some(one => one.type === type)) this.#said.delete(type);
    for (const one of wanted) {
      if (this.#said.get(one.type)?.order === one.order) continue;
      const { outcome } = store.stateOf(one.type);
      if (outcome?.order === one.order) this.#said.set(one.type, { ...outcome, type: one.type });
      else this.#say(one, { state: 'waiting', text: 'no rows of this device type have come yet' });
    }
    const orders = new Set(wanted.map(({ order }) => order));
    for (const kept of [this.#notBefore, this.#retries, this.#unfetched])
      for (const order of kept.keys()) if (!orders.has(order)) kept.delete(order);
    if (this.#current && !orders.has(this.#current.order)) this.#current.abort.abort();
    this.#mayBeUrgent();
  }

  /** A gateway fetches nothing for devices it does not have, and only rows tell which fields they have. */
  #isDue(wanted: Wanted): boolean {
    const { store, scorer } = this.#options;
    if (store.stateOf(wanted.type).outcome?.order === wanted.order) return false;
    if (this.#trials.of(wanted.type)?.order === wanted.order) return false;
    if (this.#mustWait(wanted.order)) return false;
    return scorer.seen.of(wanted.type).length > 0;
  }

  /** As far as is known without reading it. */
  #needsFetch(wanted: Wanted): boolean {
    if ('problem' in wanted || !wanted.manifest) return false;
    const { active, previous, candidate } = this.#options.store.stateOf(wanted.type);
    const isHere = [active, previous, candidate].includes(bundleIdOf(wanted.manifest));
    return !isHere || this.#unfetched.has(wanted.order);
  }

  #mustWait(order: string): boolean {
    return (this.#notBefore.get(order) ?? 0) > this.#options.clock.monotonic();
  }

  #untilDueMs(): number {
    const nowMs = this.#options.clock.monotonic();
    const waiting = [...this.#notBefore.values()].map(atMs => atMs - nowMs);
    return Math.min(...waiting.filter(ms => ms > 0));
  }

  async #carryOut(wanted: Wanted, stop: AbortSignal): Promise<void> {
    const abort = new AbortController();
    this.#current = { order: wanted.order, abort };
    const signal = AbortSignal.any([stop, abort.signal]);
    try {
      if ('problem' in wanted) throw refusal(wanted.problem);
      if (wanted.manifest) await this.#run(wanted, wanted.manifest, signal);
      else {
        await this.#switcher.activateConfigured(wanted.type, this.#done(wanted));
        this.#say(wanted, { state: 'active' });
      }
    } catch (error) {
      if (!signal.aborted) await this.#failed(wanted, error);
    } finally {
      this.#current = undefined;
    }
  }

  async #run(wanted: Assignment, manifest: ModelManifest, stop: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const { type } = wanted;
    const bundle = bundleIdOf(manifest);
    await store.keepIncoming(type, bundle);
    if (store.stateOf(type).active === bundle) {
      await store.note(type, this.#done(wanted));
      return this.#say(wanted, { state: 'active' });
    }
    if (!(await store.has(type, bundle)) && !(await this.#fetched(wanted, manifest, stop))) return;
    this.#say(wanted, { state: 'checking' });
    const model = await this.#open(manifest);
    if (wanted.shadow) {
      await this.#trials.shadow(type, wanted.order, model, wanted.shadow);
      return this.#say(wanted, { state: 'shadow' });
    }
    await orDispose(model, () => this.#switcher.activate(type, bundle, model, this.#done(wanted)));
    this.#say(wanted, { state: 'active' });
  }

  /** What comes of a trial is on disk before its counts are forgotten: until then a start finds the trial, as it was. */
  async #settle({ trial, verdict }: Ripe): Promise<void> {
    const { type, order } = trial;
    await this.#trials.save(true);
    if (trial.kind === 'watch') return this.#settleWatch(type, verdict);
    const wanted = this.#wanted.find(one => one.type === type && one.order === order);
    const manifest = wanted && 'manifest' in wanted ? wanted.manifest : null;
    if (verdict === 'promote' && wanted && manifest) {
      try {
        await this.#switcher.activate(type, bundleIdOf(manifest), trial.run.model, this.#done(wanted));
      } catch (error) {
        // It is judged again in a while, of what it will have counted by then.
        await this.#failed(wanted, error);
        return;
      }
      await this.#trials.end(type, true);
      await this.#trials.watch(trial);
      return this.#say(wanted, { state: 'active' });
    }
    await this.#trials.end(type);
    const refused = new EdgewardError('EW_MODEL_ALARMS', reasonOf(verdict));
    if (!wanted || (await this.#failed(wanted, refused))) await this.#trials.forget(type);
  }

  async #settleWatch(type: string, verdict: Ripe['verdict']): Promise<void> {
    await this.#trials.end(type);
    const { outcome } = this.#options.store.stateOf(type);
    if (verdict === 'stays' || outcome === null) return this.#trials.forget(type);
    const { code, message: text } = new EdgewardError('EW_MODEL_ALARMS', reasonOf(verdict));
    const rolledBack = { ...outcome, state: 'rolled-back' as const, code, text };
    if (await this.#switcher.fallBack(type, rolledBack)) await this.#trials.forget(type);
    this.#said.set(type, { ...rolledBack, type });
    this.#options.onChange();
  }

  /** @returns false if something else had to go first: then the order is due still */
  async #fetched(wanted: Assignment, manifest: ModelManifest, stop: AbortSignal): Promise<boolean> {
    const { store, clock, log } = this.#options;
    this.#unfetched.add(wanted.order);
    if (this.#isUrgent()) return false;
    const pause = new AbortController();
    this.#pause = pause;
    const incoming = await store.receive(manifest);
    const tell = () =>
      this.#say(wanted, { state: 'fetching', doneBytes: incoming.doneBytes, bytes: incoming.bytes });
    tell();
    try {
      const parts = { channel: this.channel, clock, log, onProgress: tell };
      do await fetchBundle(incoming, parts, AbortSignal.any([stop, pause.signal]));
      while (!(await this.#accept(incoming)));
      this.#unfetched.delete(wanted.order);
      return true;
    } catch (error) {
      if (pause.signal.aborted) return false;
      throw error;
    } finally {
      this.#pause = undefined;
      await incoming.close();
    }
  }

  /** @returns false if a part of it that an earlier start has left was spoilt, and is to be fetched again */
  async #accept(incoming: Incoming): Promise<boolean> {
    try {
      await this.#options.store.accept(incoming);
      return true;
    } catch (error) {
      if (!incoming.takeResumed() || incoming.next === undefined) throw error;
      return false;
    }
  }

  /** Checked as any bundle is, and against what devices there are. */
  async #open(manifest: ModelManifest): Promise<LoadedModel> {
    const { engine, log, scorer, store } = this.#options;
    const { type, revision } = manifest;
    const bundle = bundleIdOf(manifest);
    const open = () => openModel(store.folderOf(type, bundle), { engine, log });
    const model = await store.opening(type, bundle, open);
    return orDispose(model, async () => {
      const { card } = model.bundle;
      if (card.deviceType !== type || card.revision !== revision)
        throw refusal(
          `card.json is of ${card.deviceType} ${card.revision}, its manifest of ${type} ${revision}`,
        );
      const missing = scorer.misfit(model);
      if (missing.length > 0) throw new EdgewardError('EW_MODEL_FIELDS', `${missing.join(', ')}.`);
      return model;
    });
  }

  /** @returns whether the order is done with, on disk too */
  async #failed(wanted: Wanted, error: unknown): Promise<boolean> {
    const { store, log, onEvent } = this.#options;
    const { type, order } = wanted;
    const why = { ...codeOf(error), text: this.#plain(wanted, messageOf(error)) };
    if (!(error instanceof EdgewardError) || isRetryable(error)) {
      this.#tryLater(wanted, why.text, isDiskFull(error));
      // Room on a full disk is for readings.
      if (isDiskFull(error)) await store.keepIncoming(type, undefined).catch(() => undefined);
      this.#say(wanted, { state: 'waiting', ...why });
      return false;
    }
    log.error({ type, ...why }, 'a model is refused; the former goes on');
    const outcome = { order, revision: revisionOf(wanted), state: 'refused' as const, ...why };
    const isKept = await store.note(type, outcome).then(
      () => true,
      () => false,
    );
    if (!isKept) this.#notBefore.set(order, Number.POSITIVE_INFINITY);
    await store.keepIncoming(type, undefined).catch(() => undefined);
    onEvent({
      kind: 'model',
      text: `A model for ${type} is refused and the former goes on: ${why.text}`.slice(0, 900),
      details: { type, revision: revisionOf(wanted) },
    });
    this.#say(wanted, { state: 'refused', ...why });
    return isKept;
  }

  /** The same reason is told once. */
  #tryLater({ type, order }: Wanted, text: string, grows: boolean): void {
    const { clock, log } = this.#options;
    const fresh = () => ({ backoff: new Backoff(againAfterMs, longestMs), text: '' });
    const retries = getOrMake(this.#retries, order, fresh);
    const level = retries.text === text ? 'debug' : 'warn';
    log[level]({ type, error: text }, 'a model could not be brought in; trying again');
    retries.text = text;
    if (!grows) retries.backoff.reset();
    this.#notBefore.set(order, clock.monotonic() + retries.backoff.next());
  }

  /** Without the folder of this gateway, which says nothing to who reads it elsewhere. */
  #plain(wanted: Wanted, text: string): string {
    const manifest = 'problem' in wanted ? null : wanted.manifest;
    const folder = manifest && this.#options.store.folderOf(wanted.type, bundleIdOf(manifest));
    return (folder ? text.replaceAll(folder, 'the bundle') : text).slice(0, 400);
  }

  #done(wanted: Wanted): Outcome {
    return { order: wanted.order, revision: revisionOf(wanted), state: 'active' };
  }

  #say(wanted: Wanted, what: Omit<ModelDeployment, 'type' | 'order' | 'revision'>): void {
    const { type, order } = wanted;
    const before = this.#said.get(type);
    this.#said.set(type, { type, order, revision: revisionOf(wanted), ...what });
    if (before?.order !== order || before.state !== what.state) this.#options.onChange();
  }
}

function reasonOf(verdict: Ripe['verdict']): string {
  return typeof verdict === 'string' ? 'It is wanted no more.' : `${verdict.reason}.`;
}

function revisionOf(wanted: Wanted): string | null {
  return 'problem' in wanted ? null : (wanted.manifest?.revision ?? null);
}
