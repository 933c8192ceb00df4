/** Wires the collector: the only place that names concrete classes. */
import { setMaxListeners } from 'node:events';
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock, Refusal } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { topicOf } from '@edgeward/shared/topics';
import { version } from '@edgeward/shared/version';
import { AlertStore } from './alerts/alert-store.js';
import { DriftReports } from './alerts/drift-reports.js';
import { IncidentEngine } from './alerts/engine.js';
import { createApi } from './api/server.js';
import { openLink } from './broker/open.js';
import { ChangeLog } from './changes/change-log.js';
import { changesBefore } from './changes/recent.js';
import { Views } from './collector-views.js';
import type { CollectorConfig } from './config.js';
import { Consumer } from './consumer.js';
import { type Cause, loadCatalogue } from './diagnosis/catalogue.js';
import { diagnose } from './diagnosis/diagnose.js';
import { Gateways } from './gateways.js';
import { healthOf } from './health.js';
import { loadIdentities } from './identity-store.js';
import { Ingest } from './ingest.js';
import { Journal } from './journal/journal.js';
import { JsonIntake } from './json-intake.js';
import type { Link } from './link.js';
import { Live } from './live.js';
import { LiveFeed } from './live-feed.js';
import { CollectorMetrics } from './metrics.js';
import { openModels } from './models/open.js';
import { Charts } from './notifiers/charts.js';
import { Notifiers } from './notifiers/http/notifiers.js';
import { MailQueue } from './notifiers/mail-queue.js';
import { Outlets } from './notifiers/outlet.js';
import { readPast, writePast } from './pipeline/past/kept-past.js';
import { read } from './pipeline/read.js';
import { PipelineWatch } from './pipeline/watch.js';
import { Releases } from './releases.js';
import { reload } from './reload.js';
import { Retention } from './retention.js';
import { ScoreService } from './score-service.js';
import { SinkDesk } from './sink-controls.js';
import { SinkSet, type SinkSetOptions } from './sink-set.js';
import { createSink, type SinkConfig } from './sinks/index.js';
import { Topology } from './topology/topology.js';
import { CollectorTrace } from './trace/collector-trace.js';
import { afterIngest } from './trace/ingest-spans.js';
import type { DemoControls } from './views.js';
import { Budget } from './wording/budget.js';
import { LlmClient } from './wording/client.js';
import { Wordings } from './wording/wordings.js';

export interface CollectorOptions {
  readonly config: CollectorConfig;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly demo?: DemoControls | undefined;
  /** Reads and checks its file again; without, nothing can be changed while it runs. */
  readonly load?: () => Promise<CollectorConfig>;
  /** Told once the file can be read again, and how; what it asks for once all ends changes nothing. */
  readonly onReload?: (reload: () => void) => void;
  /** Told once everything listens. */
  readonly onListening?: (ports: { api: number; broker: number }) => void;
}

/** What comes within these times is handed over together. */
const sinkLingerMs = 250;
const incidentLingerMs = 100;
/** What a request may take to end once all ends. */
const apiCloseMs = 2000;
const mebibyte = 1024 * 1024;

/**
 * Runs a collector until `stop`: the broker closes first, so that nothing new is promised; then what was taken is
 * stored, consumers finish what the journal has, and the stores close.
 */
export async function runCollector(
  options: CollectorOptions,
  stop: AbortSignal,
  deadline: AbortSignal,
): Promise<void> {
  const { config, log, clock = systemClock } = options;
  await using trace = await CollectorTrace.open(config, clock, log.child({ component: 'trace' }));
  let hasSinks = () => config.sinks.length > 0;
  const live = new Live();
  await using stores = await openStores(options, live, trace, () => hasSinks());
  const { journal, gateways, engine, catalogue, topology } = stores;
  await using scores = new ScoreService({ ...config.score, log: log.child({ component: 'score' }) });
  const onMoved = () => releases.moved();
  const untilTrimmed = () => retention.untilIdle();
  const follower = { journal, clock, log: log.child({ sink: 'incidents' }), lingerMs: incidentLingerMs };
  const incidents = new Consumer({ name: 'incidents', sink: engine, ...follower });
  await incidents.open();
  const sinks = createSinks(config, stores, clock, log, { onMoved, untilTrimmed }, trace);
  hasSinks = () => sinks.all.length > 0;
  const followers = () => [incidents, ...sinks.all];
  const again = () => reload({ config, load: options.load, sinks, topology, log });
  const releases: Releases = new Releases({
    journal,
    required: () => sinks.required,
    send: (gateway, receipts) => ingest.sendReceipts(gateway, receipts),
    clock,
    log: log.child({ component: 'releases' }),
  });
  const retention: Retention = new Retention({
    journal,
    consumers: () => [incidents, ...sinks.followers],
    required: () => new Set(sinks.required.map(({ name }) => name)),
    maxBytes: config.journal.maxBytes,
    maxAgeMs: config.journal.maxAgeS && config.journal.maxAgeS * 1000,
    diskIsFull: () => ingest.failure !== null && retention.blocked === null,
    clock,
    log: log.child({ component: 'retention' }),
  });
  await sinks.open(stop);
  await releases.open();
  const identities = await loadIdentities(journal, config.broker.takeoverAfterS * 1000, clock.monotonic());

  let broker: Link | undefined;
  const publish = async (topic: string, payload: string | Uint8Array, retain?: boolean) =>
    broker?.publish(topic, payload, retain);
  const models = await openModels({
    directory: path.join(config.dataDir, 'models'),
    ...stores,
    publish,
    shadow: config.shadow,
    name: config.name,
    training: config.training,
    clock,
    log: log.child({ component: 'models' }),
  });
  const json = new JsonIntake({
    journal,
    answer: (gateway, reply) => publish(topicOf(gateway, 'receipt'), reply).catch(() => undefined),
    lateAfterMs: config.ingest.lateAfterMs,
    clock,
  });
  await json.open();
  const ingest: Ingest = new Ingest({
    journal,
    gateways,
    identities,
    releases,
    json,
    publish,
    send: (gateway, kind, payload) => broker?.send?.(gateway, kind, payload) ?? false,
    onStored: deliveries => feed.take(deliveries),
    spans: trace?.ingest,
    blocked: () => retention.blocked,
    ...config.ingest,
    clock,
    log: log.child({ component: 'ingest' }),
  });
  using wordings = openWordings(config, stores, clock, log.child({ component: 'llm' }));
  using metrics = new CollectorMetrics({
    ...stores,
    ingest,
    broker: () => broker,
    followers,
    trainings: models.trainings,
    wordings: () => wordings?.counts(),
    live,
    blocked: () => retention.blocked,
    dataDir: config.dataDir,
    journalMaxBytes: config.journal.maxBytes,
    queueMaxBytes: config.ingest.maxQueueBytes,
    maxGateways: config.metrics.maxGateways,
  });
  const pastFile = path.join(config.dataDir, 'pipeline-past.state');
  const healthLog = log.child({ component: 'health' });
  const past = await readPast(pastFile, clock.now(), healthLog);
  const savePast = () => writePast(pastFile, past, clock.now(), healthLog, config.health.minFreeBytes);
  const watch = new PipelineWatch({
    past,
    config: config.health,
    live,
    catalogue,
    read: () =>
      read({
        name: config.name,
        gateways,
        ingest,
        broker: () => broker,
        external: config.broker.external !== undefined,
        followers,
        blocked: () => retention.blocked,
        dataDir: config.dataDir,
        queueMaxBytes: config.ingest.maxQueueBytes,
        stopping: () => stop.aborted,
        clock,
      }),
    tell: news => engine.health(news),
    clock,
  });
  using views = new Views({
    ...stores,
    live,
    pipeline: watch.rows,
    scores,
    metrics,
    health: () =>
      healthOf({
        ingest,
        journal,
        broker,
        followers: followers(),
        trainings: models.trainings.standing(),
        untold: watch.untold,
        stopping: stop.aborted,
        clock,
      }),
    replay: id => ingest.replay(id),
    sinks: new SinkDesk({ sinks, journal, reload: again }),
    models: models.controls,
    cursors: () => Object.fromEntries(followers().map(({ name, position }) => [name, position])),
    clock,
    demo: options.demo,
  });
  const feed: LiveFeed = new LiveFeed(deliveries => {
    stores.changes.rows(deliveries);
    views.rows(deliveries);
  });
  await using api = await openApi(config, views, log);
  const drifts = new DriftReports(gateways, engine, clock);
  const stored = new AbortController();
  // Every consumer waits on these; ten is node's guess at a leak.
  setMaxListeners(0, stop, deadline, stored.signal);
  const chores = { clock, log, stop: stored.signal };
  const working = [
    feed.readBack(journal, chores),
    incidents.run(stored.signal, deadline),
    sinks.run(stored.signal, deadline),
    stores.mails.run(stored.signal),
    stores.notifiers.run(stored.signal),
    every(1000, 'incidents by the clock', () => engine.tick(clock.now()), chores),
    every(1000, 'changes at gateways', () => stores.changes.save(), chores),
    every(1000, 'incidents of drift', () => drifts.heed(), chores),
    wordings && every(1000, 'wording of incidents', () => wordings.next(stop), { ...chores, stop }),
    ...(config.health.enabled
      ? [
          every(config.health.everyMs, 'a look at the pipeline', () => watch.look(), chores),
          every(6 * 3_600_000, 'what is usual of it', savePast, chores),
        ]
      : []),
    retention.run(stored.signal),
    releases.run(stored.signal),
    models.trainings.run(stop),
  ];
  options.onReload?.(() => void again().catch(error => tellReload(error, journal, log)));
  const taken = new AbortController();
  const ingesting = ingest.run(taken.signal);
  broker = await openLink(config.broker, {
    log: log.child({ component: 'broker' }),
    room: signal => ingest.room(signal),
    onMessage: message => {
      if (message.kind === 'fetch') models.distribution.asked(message.gateway, message.payload);
      else ingest.offer(message);
    },
    onLinked: () => void models.distribution.announceAll(gateways.all().map(({ id }) => id)),
    onJson: (gateway, payload) => ingest.takeJson(gateway, payload),
    identities,
    onRefused: (gateway, reason) => void journal.tell('identity', `Refused: ${reason}.`, {}, gateway),
    onTakenOver: (gateway, former) =>
      void journal.tell('identity', `Another outbox took the name over from ${former}.`, {}, gateway),
  });
  log.info({ api: api.port, broker: broker.port, position: journal.position }, 'started');
  options.onListening?.({ api: api.port, broker: broker.port });

  await untilAborted(stop);
  await broker[Symbol.asyncDispose]();
  taken.abort();
  await ingesting;
  stored.abort();
  await Promise.race([Promise.all(working), untilAborted(deadline)]);
  if (config.health.enabled) await savePast();
  await sinks[Symbol.asyncDispose]();
  log.info({ position: journal.position }, 'stopped');
}

interface Stores extends AsyncDisposable {
  readonly journal: Journal;
  readonly gateways: Gateways;
  readonly engine: IncidentEngine;
  readonly mails: MailQueue;
  readonly notifiers: Notifiers;
  readonly alerts: AlertStore;
  readonly changes: ChangeLog;
  readonly catalogue: readonly Cause[];
  readonly topology: Topology;
}

/** Undefined unless a language model is configured. */
function openWordings(
  { llm }: CollectorConfig,
  { engine, alerts, catalogue }: Stores,
  clock: Clock,
  log: Logger,
): Wordings | undefined {
  if (!llm) return undefined;
  const model = new LlmClient(llm, clock);
  const budget = new Budget(alerts, llm, clock);
  return new Wordings({ engine, model, catalogue, budget, maxTokens: llm.maxTokens, log, clock });
}

async function openStores(
  { config, log, clock = systemClock }: CollectorOptions,
  live: Live,
  trace: CollectorTrace | undefined,
  hasSinks: () => boolean,
): Promise<Stores> {
  const inData = (name: string) => path.join(config.dataDir, name);
  const catalogue = await loadCatalogue(config.diagnosis.catalogues);
  const journal = await Journal.open({
    directory: inData('journal'),
    maxDeadLetterBytes: config.journal.maxDeadLetterBytes,
    maxRefusedBytes: config.journal.maxRefusedBytes,
    keepsColumns: hasSinks,
    nextTrace: trace && afterIngest,
    ballastBytes: Math.max(mebibyte, Math.min(4 * mebibyte, config.journal.maxBytes / 100)),
    clock,
    log: log.child({ component: 'journal' }),
  });
  const gateways = new Gateways(clock, journal.reports(), journal.events());
  journal.eventLog.listen(event => gateways.event(event));
  const store = new AlertStore({
    directory: inData('alerts'),
    ballastBytes: 4 * mebibyte,
    log: log.child({ component: 'alerts' }),
  });
  const changes = await ChangeLog.open(store, log.child({ component: 'changes' }));
  const sources = { log: (id: string) => changes.of(id), maintenance: config.alerts.maintenance };
  gateways.subscribe(news => {
    const gateway = news.kind === 'gateway' ? gateways.get(news.id) : undefined;
    // What was known before the start may be older than what the changes know.
    if (gateway?.report && gateway.reportedMs !== null) changes.report(gateway.report);
  });
  const charts = new Charts(live, log.child({ component: 'mail' }));
  const mails = new MailQueue({
    store,
    config: config.mail,
    collector: config.name,
    charts,
    log: log.child({ component: 'mail' }),
    clock,
    spans: trace?.mails,
  });
  const topology = new Topology(config.topology);
  const notifiers = new Notifiers({
    store,
    config: config.notify,
    collector: config.name,
    linkBase: config.mail.linkBase,
    log: log.child({ component: 'notify' }),
    clock,
  });
  const siteAt = (gateway: string) => siteOf(gateways, gateway);
  const engine = new IncidentEngine({
    store,
    mails: new Outlets([mails, notifiers]),
    config: config.alerts,
    diagnose: (incident, incidents) =>
      diagnose(
        catalogue,
        live,
        incident,
        incidents,
        device => topology.around(device, siteAt),
        changesBefore(sources, incident, incidents),
      ),
    siteOf: siteAt,
    topology,
    spans: trace?.incidents,
    log: log.child({ component: 'incidents' }),
    clock,
  });
  return {
    journal,
    gateways,
    engine,
    mails,
    notifiers,
    alerts: store,
    changes,
    catalogue,
    topology,
    [Symbol.asyncDispose]: async () => {
      await changes.save(Number.POSITIVE_INFINITY);
      await engine[Symbol.asyncDispose]();
      await charts[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
    },
  };
}

function siteOf(gateways: Gateways, id: string): string | null {
  const gateway = gateways.get(id);
  return gateway?.state?.site ?? gateway?.report?.site ?? null;
}

/** Nobody waits for the answer: it must be found in the log and among the events. */
async function tellReload(error: unknown, journal: Journal, log: Logger): Promise<void> {
  log.error({ error: messageOf(error) }, 'configuration not read again: all stays as it is');
  await journal.tell('journal', `The configuration was not read again: ${messageOf(error)}`);
}

function createSinks(
  { name: collector, sinks, receiptAfter }: CollectorConfig,
  { journal, engine }: Stores,
  clock: Clock,
  log: Logger,
  hooks: Pick<SinkSetOptions, 'onMoved' | 'untilTrimmed'>,
  trace: CollectorTrace | undefined,
): SinkSet {
  const create = (options: SinkConfig, own: Logger) => {
    const { name } = options;
    const refuse = (refusals: readonly Refusal[]) => journal.sinkLetters.keep(name, refusals);
    const sink = createSink(options, { name, collector, log: own, clock, refuse });
    return trace ? trace.sink(name, sink, own) : sink;
  };
  const feeds = [engine.notes, journal.eventLog];
  const lingerMs = sinkLingerMs;
  return new SinkSet({ ...hooks, journal, feeds, create, sinks, receiptAfter, lingerMs, clock, log });
}

async function openApi(
  config: CollectorConfig,
  views: Views,
  log: Logger,
): Promise<AsyncDisposable & { port: number }> {
  const { host, port } = config.api;
  const api = createApi({ views, config: config.api, log: log.child({ component: 'api' }), version });
  try {
    await api.listen({ host, port });
  } catch (error) {
    throw new EdgewardError(
      'EW_LISTEN',
      `api ${host}:${port}: ${messageOf(error)}. Choose another api.port.`,
      { cause: error },
    );
  }
  const address = api.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    [Symbol.asyncDispose]: () => closeApi(api),
  };
}

/** A connection that says nothing is not idle to Node: without the cut it would hold the end up. */
async function closeApi(api: ReturnType<typeof createApi>): Promise<void> {
  const cut = setTimeout(() => api.server.closeAllConnections(), apiCloseMs);
  cut.unref();
  api.server.closeIdleConnections();
  await api.close();
  clearTimeout(cut);
}

interface Chores {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stop: AbortSignal;
}

/** A chore that fails is done again at its next time: it must not end the collector. */
async function every(
  ms: number,
  what: string,
  act: () => Promise<unknown>,
  { clock, log, stop }: Chores,
): Promise<void> {
  while (!stop.aborted) {
    await clock.sleep(ms, stop);
    if (stop.aborted) return;
    try {
      await act();
    } catch (error) {
      log.warn({ error: messageOf(error) }, `${what} failed; trying again`);
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
