/**
 * Pipeline health as a device: at each look one row of the collector, of each sink and of each gateway, and what rules
 * find in them. Nothing of this goes through the journal: what has to tell that it cannot be written must not need it,
 * and what is measured must not count as input. Incidents of it do need a store: while that fails, see `untold`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, Delivery } from '@edgeward/shared/contracts';
import type { HealthNews } from '../alerts/health-incidents.js';
import type { Incident } from '../alerts/incident.js';
import type { Cause } from '../diagnosis/catalogue.js';
import { Live } from '../live.js';
import type { HealthConfig } from './config.js';
import { diagnosisOf } from './diagnosis.js';
import { type Finding, keyOf } from './finding.js';
import { Groups, groupSubject } from './grouping.js';
import { isUnusual } from './past/finding.js';
import type { Past } from './past/kept-past.js';
import { PastJudge } from './past/past-judge.js';
import type { GatewayReading, Reading } from './readings.js';
import { RowMaker } from './rows.js';
import { ChannelRule } from './rules/channel-rule.js';
import { CollectorRules, stalledMs } from './rules/collector-rules.js';
import { Lasting } from './rules/context.js';
import { GatewayRules } from './rules/gateway-rules.js';
import { goneMs, SilenceRule } from './rules/silence-rule.js';
import { SinkRules } from './rules/sink-rules.js';

export interface WatchOptions {
  readonly config: HealthConfig;
  /** The devices' newest rows. */
  readonly live: Pick<Live, 'each'>;
  readonly catalogue: readonly Cause[];
  readonly read: () => Promise<Reading> | Reading;
  readonly tell: (news: HealthNews) => Promise<void>;
  readonly clock: Clock;
  /** What is usual, as far as it is known from before. */
  readonly past?: Past;
}

/** Rows of gateways, sinks and the collector, apart from those of devices, so that neither takes the other's room. */
const mostBytes = 16 * 1024 * 1024;
/** After a jump of the collector's clock offsets are not those of gateways. */
const jumpedMs = 60_000;

interface Held {
  readonly finding: Finding;
  /** By the monotonic clock. */
  readonly seenMs: number;
}

export class PipelineWatch {
  /** The newest rows of the pipeline's devices. */
  readonly rows = new Live({ maxBytes: mostBytes });
  readonly #options: WatchOptions;
  readonly #catalogue: ReadonlyMap<string, Cause>;
  readonly #maker = new RowMaker();
  readonly #lasting = new Lasting();
  readonly #collector = new CollectorRules();
  readonly #sinks = new SinkRules();
  readonly #silence: SilenceRule;
  readonly #gateways = new GatewayRules();
  readonly #channels: ChannelRule;
  readonly #past: PastJudge;
  readonly #groups = new Groups();
  readonly #held = new Map<string, Held>();
  #untold: readonly Finding[] = [];
  /** Nothing is said of what is unlike its own past. */
  #isDisturbed = false;
  #before: Reading | undefined;
  #startedAtMs: number | undefined;
  /** Since when all gateways could reach us, by the monotonic clock. */
  #wellSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#catalogue = new Map(options.catalogue.map(cause => [cause.id, cause]));
    this.#channels = new ChannelRule(options.live);
    this.#past = options.past?.judge ?? new PastJudge();
    this.#silence = new SilenceRule(options.past?.habits);
  }

  /** Call every `everyMs`, once the last is done. It lets others have their turn: a fleet takes tens of ms. */
  async look(): Promise<void> {
    const reading = await this.#options.read();
    this.#startedAtMs ??= reading.atMs;
    await turn();
    const rows = this.#maker.make(reading);
    this.rows.add(rows, false);
    await turn();
    const found = await this.#judge(reading, rows);
    this.#before = reading;
    this.#hold(found, reading.atMs);
    const news = this.#news(reading);
    try {
      await this.#options.tell(news);
      this.#untold = [];
    } catch (error) {
      this.#untold = news.findings;
      throw error;
    }
  }

  /** Found, but neither stored as incidents nor mailed: the store cannot be written, as when the disk is full. */
  get untold(): readonly Finding[] {
    return this.#untold;
  }

  async #judge(reading: Reading, rows: readonly Delivery[]): Promise<Finding[]> {
    const { config } = this.#options;
    const before = this.#before;
    const look = { reading, before, config, lasting: this.#lasting.count };
    this.#lasting.next();
    const own = this.#collector.judge(look);
    const sinks = this.#sinks.judge(look);
    const stalled =
      before !== undefined && reading.atMs - before.atMs - config.everyMs > stalledMs(config.everyMs);
    const isDown = own.some(({ kind }) => takesNothing.has(kind));
    if (stalled || isDown || reading.collector.stopping || reading.collector.broker?.ok === false)
      this.#wellSinceMs = reading.atMs;
    const wellMs = reading.atMs - this.#wellSinceMs;
    const silent = this.#silence.judge(look, wellMs);
    const silentIds = new Set(silent.map(({ device }) => device));
    const isHeard = ({ id, silentMs, stopped }: GatewayReading) =>
      wellMs >= config.graceMs &&
      !silentIds.has(id) &&
      !stopped &&
      silentMs !== undefined &&
      silentMs < config.silentMs;
    const { jumpedAtMs } = this.#collector;
    const jumped = jumpedAtMs !== undefined && reading.atMs - jumpedAtMs < jumpedMs;
    const shown = this.#gateways.judge(look, jumped);
    await turn();
    const missing = await this.#channels.judge(look, isHeard);
    const gateways = [...silent, ...shown, ...missing].filter(
      ({ kind }) => !isDown || kind === 'gateway-burst',
    );
    await turn();
    const ruled = [...own, ...sinks, ...gateways];
    const isYoung = reading.atMs - this.#startedAtMs! < config.graceMs || wellMs < config.graceMs;
    const unusual = this.#unusual(reading, rows, ruled, isYoung || jumped);
    const ofGateways = unusual.filter(({ deviceType }) => deviceType === 'pipeline-gateway');
    const others = unusual.filter(({ deviceType }) => deviceType !== 'pipeline-gateway');
    const joined = this.#groups.join([...gateways, ...ofGateways], reading, config.groupFrom);
    return [...own, ...sinks, ...others, ...joined];
  }

  /** What no rule says. What troubles the collector shows in everybody's delays. */
  #unusual(
    { nowMs, gateways }: Reading,
    rows: readonly Delivery[],
    ruled: readonly Finding[],
    isUnsettled: boolean,
  ): Finding[] {
    if (!this.#options.config.unusual) return [];
    const held = [...this.#held.values()].map(({ finding }) => finding).filter(one => !isUnusual(one.kind));
    const all = [...ruled, ...held];
    // A group of gateways stands under the collector's name, and is none of its own trouble.
    const told = new Set(all.flatMap(one => (isGroup(one) ? one.affected : [one.device, ...one.affected])));
    const isDisturbed =
      isUnsettled ||
      all.some(one => one.deviceType === 'pipeline-collector' && !isGroup(one) && !isLasting.has(one.kind));
    this.#isDisturbed = isDisturbed;
    const sites = new Map(gateways.map(({ id, site }) => [id, site]));
    const siteOf = (id: string) => sites.get(id) ?? null;
    return this.#past.judge({ rows, nowMs, told, isDisturbed, siteOf });
  }

  /** What comes and goes is one trouble. */
  #hold(found: readonly Finding[], atMs: number): void {
    const { closeAfterMs } = this.#options.config;
    for (const finding of found) this.#held.set(keyOf(finding), { finding, seenMs: atMs });
    for (const [key, { finding, seenMs }] of this.#held) {
      if (seenMs < atMs && (this.#isGrouped(finding, found) || atMs - seenMs >= closeAfterMs))
        this.#held.delete(key);
    }
  }

  #isGrouped({ kind, device }: Finding, found: readonly Finding[]): boolean {
    return found.some(other => other.kind === kind && other.affected.includes(device));
  }

  /** Whether anything has come since the start that could tell that it is over. */
  #isKnown({ device, source, affected = [] }: Incident, { gateways }: Reading, heard: ReadonlySet<string>) {
    if (source.endsWith(` ${groupSubject}`)) return affected.every(id => heard.has(id));
    if (!heard.has(device)) return false;
    if (source !== 'channel-silent' && source !== 'rows-silent') return true;
    const isStopped = gateways.some(({ id, stopped }) => id === device && stopped);
    // What is read back from the journal at the start is no sign of life.
    const fromMs = this.#startedAtMs! + this.#options.config.graceMs;
    return isStopped || this.#channels.hasSeen(device, affected, fromMs);
  }

  #news(reading: Reading): HealthNews {
    const { nowMs, atMs } = reading;
    const heard = new Set(
      reading.gateways.filter(one => one.silentMs !== undefined || one.stopped).map(({ id }) => id),
    );
    const { graceMs } = this.#options.config;
    const isNew = atMs - this.#startedAtMs! < graceMs;
    const isJudged = atMs - this.#wellSinceMs >= graceMs;
    const isUnheard = (incident: Incident) =>
      isOfGateways(incident) && !this.#isKnown(incident, reading, heard);
    const all = [...this.#held.values()].map(({ finding }) => finding);
    return {
      nowMs,
      findings: all,
      diagnose: finding => diagnosisOf(finding, this.#catalogue, nowMs),
      // What was open before a start is over once it has been heard, not because nothing is known of it.
      stays: incident =>
        isNew ||
        (this.#isDisturbed && isUnusual(kindOf(incident))) ||
        (!isJudged && isOfGateways(incident)) ||
        (isUnheard(incident) && nowMs - incident.firstMs < goneMs),
      endOf: incident => {
        const { device, source } = incident;
        if (isUnheard(incident)) return goneText;
        if (source === 'gateway-silent') {
          const ending = this.#silence.endings.get(device);
          if (ending !== undefined) return ending;
        }
        const group = all.find(other => other.kind === source && other.affected.includes(device));
        if (group) return `it is one of many: ${group.title}`;
        const rule =
          isUnusual(source) && all.find(other => other.device === device && !isUnusual(other.kind));
        return rule ? `a rule says what it is: ${rule.title}` : undefined;
      },
    };
  }
}

/** A gateway's own, or of several of them at once. */
function isOfGateways({ deviceType, source }: Incident): boolean {
  return deviceType === 'pipeline-gateway' || source.endsWith(` ${groupSubject}`);
}

/** Its source without the subject. */
function kindOf({ source }: Incident): string {
  return source.split(' ', 1)[0]!;
}

const isGroup = ({ subject }: Finding) => subject === groupSubject;

const goneText =
  'it began more than a week ago, and nothing has been heard since the collector started: it may have been taken away';

/** They can go on for weeks, and delay nobody. */
const isLasting: ReadonlySet<string> = new Set([
  'collector-disk',
  'gateway-silent',
  'channel-silent',
  'rows-silent',
]);

/** Then nothing comes from anybody, and nobody is to blame for it. */
const takesNothing: ReadonlySet<string> = new Set(['collector-journal', 'collector-blocked', 'broker-down']);
