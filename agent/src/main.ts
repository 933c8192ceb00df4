/** Wires the agent: the only place that names concrete classes. */
import { setMaxListeners } from 'node:events';
import path from 'node:path';
import type { EngineName } from '@edgeward/models/engines';
import { Scorer } from '@edgeward/models/scorer';
import { Ballast } from '@edgeward/shared/ballast';
import { RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import { readSecret } from '@edgeward/shared/config';
import { configRevisions } from '@edgeward/shared/config/revision';
import type { AgentEvent, AgentReport, Clock, Source, Stage } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { version } from '@edgeward/shared/version';
import type { AgentConfig } from './config.js';
import { forward } from './forward.js';
import type { AgentMetrics } from './metrics/open.js';
import type { ModelChannel } from './models/channel.js';
import { ModelDesk } from './models/desk.js';
import { DriftDesk } from './models/drift.js';
import { openModels } from './models/open-models.js';
import { SavedScores } from './models/saved-scores.js';
import { ModelStore } from './models/store.js';
import { LevelOutbox } from './outbox/level-outbox.js';
import { pump } from './pump.js';
import { devicesOf } from './sources/devices-config.js';
import { createSource } from './sources/index.js';
import { RejectLog } from './sources/reject-log.js';
import { RuleStage } from './stages/rules.js';
import { Validate } from './stages/validate.js';
import { GatewayTime } from './time/gateway-time.js';
import type { Timekeeper } from './time/timekeeper.js';
import { AgentTrace } from './trace/agent-trace.js';
import type { PublishSpans } from './trace/publish-spans.js';
import type { SourceSpans } from './trace/source-spans.js';
import { MqttUplink } from './uplinks/mqtt.js';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Told of each source by name once it exists; the demo injects faults through it. */
  readonly onSources?: (sources: ReadonlyMap<string, Source>) => void;
  /** For those who bring sources of their own; without it, the configured ones. */
  readonly createSource?: typeof createSource;
}

const minBallastBytes = 1024 * 1024;
const maxBallastBytes = 4 * 1024 * 1024;

type Notice = Pick<AgentEvent, 'kind' | 'text' | 'details'>;

/**
 * Runs an agent until `stop`: then sources hand over what they hold, the uplink waits for receipts, and the
 * outbox is closed. What is not received by `deadline` stays in the outbox.
 */
export async function runAgent(
  options: AgentOptions,
  stop: AbortSignal,
  deadline: AbortSignal,
): Promise<void> {
  const { config, log, clock = systemClock } = options;
  // Every source waits on these; ten is node's guess at a leak.
  setMaxListeners(0, stop, deadline);
  const traceLog = log.child({ component: 'trace' });
  await using trace = await AgentTrace.open(config, { clock, log: traceLog, rng: Math.random });
  const early: Notice[] = [];
  let notice = (event: Notice): void => {
    early.push(event);
  };
  const tell = (event: Notice) => notice(event);
  const time: { of?: GatewayTime } = {};
  await using outbox = await LevelOutbox.open({
    directory: path.join(config.dataDir, 'outbox'),
    gateway: config.gateway,
    ...config.outbox,
    ballast: ballastOf(config),
    stop: deadline,
    clock,
    log: log.child({ component: 'outbox' }),
    onEvent: tell,
    time: saved => {
      time.of = new GatewayTime({ clock, config: config.clock, onEvent: tell, saved });
      return time.of;
    },
  });
  if (!time.of) throw new TypeError('the outbox was opened without a clock');
  const { keeper, times } = time.of;
  const sealing = time.of.sealing();
  if (outbox.gap) early.push(gapNotice(outbox.gap));
  const modelLog = log.child({ component: 'models' });
  const engine = config.engine as EngineName;
  const store = await ModelStore.open(path.join(config.dataDir, 'models'), modelLog);
  const modelParts = { store, engine, log: modelLog, onEvent: tell };
  const { models, configured } = await openModels({ ...modelParts, folders: config.models });
  const drift = await DriftDesk.open({ dataDir: config.dataDir, clock, log: modelLog, onEvent: tell });
  await using scorer = new Scorer({
    models,
    log: modelLog,
    onJudged: drift.take,
    ...(config.surprises.enabled && { surprises: config.surprises }),
  });
  const desk = new ModelDesk({ ...modelParts, scorer, configured, clock, onChange: () => uplink.report() });
  const run = { configuration: configRevisions(config), begunMs: clock.monotonic() };
  const report = () => reportOf(config, outbox, { scorer, desk, drift }, run, clock);
  const uplinkLog = log.child({ component: 'uplink' });
  const spans = trace?.ofUplink(uplinkLog);
  const uplinkParts = { config, outbox, keeper, report, models: desk.channel, clock, log: uplinkLog, spans };
  await using uplink: MqttUplink = await openUplink(uplinkParts);
  notice = event =>
    uplink.event({ gateway: config.gateway, epoch: outbox.epoch, atMs: clock.now(), ...event });
  for (const event of early) notice(event);

  await using metrics = await openMetrics(config, { outbox, uplink, scorer, keeper }, log);
  const scores = new SavedScores(config.dataDir, modelLog);
  await scores.load(scorer, clock.now());
  const sources = createSources(options, outbox, clock, log, metrics);
  options.onSources?.(sources);
  const rules = new RuleStage(config.rules, log.child({ component: 'rules' }));
  const reporting = setInterval(() => uplink.report(), config.reportMs);
  const drained = new AbortController();
  const watching = keeper.run(drained.signal);
  const deploying = Promise.all([desk.run(stop), drift.run(stop)]);
  const forwarding = forward(
    { outbox, uplink, clock, log: uplinkLog, onFailure: metrics && (error => metrics.linkFailed(error)) },
    drained.signal,
    deadline,
  );
  log.info(
    {
      gateway: config.gateway,
      epoch: outbox.epoch,
      sources: sources.size,
      backlog: outbox.report().outbox.blocks,
    },
    'started',
  );

  await Promise.all(
    [...sources].map(([name, source]) => {
      const onFailure = (error: unknown) =>
        notice({
          kind: 'source',
          text: `Source ${name} has stopped: ${messageOf(error)}`.slice(0, 900),
          details: { source: name },
        });
      const score = metrics?.timed(scorer) ?? scorer;
      const parts = { source, check: [new Validate(times), rules], score, sealing, outbox };
      const way = wayOf(parts, trace?.ofSource(name));
      return pump(
        { name, ...way, clock, log: log.child({ source: name }), watcher: metrics?.of(name), onFailure },
        stop,
        deadline,
      );
    }),
  );
  await untilAborted(stop); // inputs may end; the agent stays, because receipts and commands still come
  await deploying;
  await drift.close();
  // Past the deadline rows may have been judged that were not kept, and come again.
  if (!deadline.aborted) await scores.save(scorer);
  drained.abort();
  await Promise.race([forwarding, untilAborted(deadline)]);
  await watching;
  clearInterval(reporting);
  log.info({ left: outbox.report().outbox.blocks }, 'stopped');
}

/** Given up when the disk is full, so that the outbox can delete and open again. */
function ballastOf({ dataDir, outbox }: AgentConfig): Ballast {
  const bytes = Math.max(minBallastBytes, Math.min(maxBallastBytes, outbox.maxBytes / 100));
  return new Ballast({ file: path.join(dataDir, 'outbox.ballast'), bytes: Math.floor(bytes) });
}

interface WayParts {
  readonly source: Source;
  readonly check: readonly Stage[];
  readonly score: Stage;
  readonly sealing: Stage;
  readonly outbox: LevelOutbox;
}

/** What a batch passes; with traces, each part within what times it. */
function wayOf({ source, check, score, sealing, outbox }: WayParts, spans: SourceSpans | undefined) {
  if (!spans) return { source, stages: [...check, score, sealing], outbox };
  const checks = check.map(stage => spans.stage('check', stage));
  const stages = [...checks, spans.stage('score', score), sealing];
  return { source: spans.source(source), stages, outbox: spans.outbox(outbox) };
}

interface UplinkParts {
  readonly config: AgentConfig;
  readonly outbox: LevelOutbox;
  readonly keeper: Timekeeper;
  readonly report: () => AgentReport;
  readonly models: ModelChannel;
  readonly clock: Clock;
  readonly log: Logger;
  readonly spans: PublishSpans | undefined;
}

async function openUplink(parts: UplinkParts): Promise<MqttUplink> {
  const { config, outbox, keeper, report, models, clock, log, spans } = parts;
  const { url, username, password, keepAliveS, connectTimeoutMs, windowBytes } = config.uplink;
  return new MqttUplink({
    url,
    gateway: config.gateway,
    username: password ? (username ?? config.gateway) : username,
    password: password && (await readSecret(password)),
    keepAliveS,
    connectTimeoutMs,
    windowBytes,
    clock,
    log,
    spans,
    models,
    birth: {
      epoch: outbox.epoch,
      outbox: outbox.id,
      version,
      ...(config.site !== undefined && { site: config.site }),
    },
    report,
    onHello: ({ journal, timeMs, roundTripMs }) => {
      if (journal !== undefined) outbox.meet(journal);
      if (timeMs !== undefined) keeper.learn(timeMs, roundTripMs);
    },
  });
}

interface Counted {
  readonly outbox: LevelOutbox;
  readonly uplink: MqttUplink;
  readonly scorer: Scorer;
  readonly keeper: Timekeeper;
}

/** Undefined where nobody wants them. */
async function openMetrics(
  config: AgentConfig,
  { outbox, uplink, scorer, keeper }: Counted,
  log: Logger,
): Promise<AgentMetrics | undefined> {
  if (config.metrics.port === undefined) return undefined;
  const { AgentMetrics } = await import('./metrics/open.js');
  const metrics = new AgentMetrics(config);
  const parts = {
    models: () => scorer.revisions,
    outbox: () => outbox.numbers(),
    uplink: () => uplink.numbers,
    clock: () => ({ synchronised: keeper.status === 'synchronised', offsetMs: keeper.offsetMs }),
  };
  await metrics.listen(parts, log.child({ component: 'metrics' }));
  return metrics;
}

function createSources(
  { config, createSource: create = createSource }: AgentOptions,
  outbox: LevelOutbox,
  clock: Clock,
  log: Logger,
  metrics: AgentMetrics | undefined,
): Map<string, Source> {
  const rows = new RowNumbers();
  // Before anything is read: nobody who pushes under a declared name may take it from the source that has it.
  for (const source of config.sources)
    for (const { name } of devicesOf(source)) rows.of(source.name).claim(name);
  return new Map(
    config.sources.map(source => {
      const sourceLog = log.child({ source: source.name });
      const rejects = new RejectLog(sourceLog, clock);
      const context = {
        clock,
        rows: rows.of(source.name),
        log: sourceLog,
        id: `${config.gateway}-${source.name}`,
        position: outbox.position(source.name),
        reject: (device: string, count: number, reason: string) => {
          outbox.countRejected(source.name, device, count);
          metrics?.rejected(source.name, count);
          rejects.rejected(device, count, reason);
        },
      };
      return [source.name, create(source, context)] as const;
    }),
  );
}

interface Models {
  readonly scorer: Scorer;
  readonly desk: ModelDesk;
  readonly drift: DriftDesk;
}

interface Run {
  readonly configuration: Readonly<Record<string, string>>;
  readonly begunMs: number;
}

function reportOf(
  config: AgentConfig,
  outbox: LevelOutbox,
  { scorer, desk: { deployments }, drift }: Models,
  { configuration, begunMs }: Run,
  clock: Clock,
): AgentReport {
  const { user, system } = process.cpuUsage();
  const atMs = clock.now();
  return {
    gateway: config.gateway,
    epoch: outbox.epoch,
    atMs,
    startedMs: Math.round(atMs - (clock.monotonic() - begunMs)),
    configuration,
    ...(config.site !== undefined && { site: config.site }),
    version,
    ...outbox.report(),
    process: { pid: process.pid, rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 },
    models: scorer.revisions,
    ...(deployments.length > 0 && { deployments }),
    drifts: drift.drifts(scorer.revisions),
  };
}

/** Polled rows that were not yet durable at a kill are outside the ledger's sum, so the time must be named. */
function gapNotice(gap: { fromMs: number; toMs: number }): Notice {
  const seconds = Math.max(0, (gap.toMs - gap.fromMs) / 1000).toFixed(1);
  return {
    kind: 'gap',
    text: `The agent did not stop cleanly: rows of up to ${seconds} s before this start were not read or not kept.`,
    details: { fromMs: gap.fromMs, toMs: gap.toMs },
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
