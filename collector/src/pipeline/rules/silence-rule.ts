/** Gateways that nothing comes from any more, though it used to. */
import type { HealthConfig } from '../config.js';
import { clockText, type Finding, plural, secondsText } from '../finding.js';
import type { GatewayReading, Reading } from '../readings.js';
import { AwayHabits } from './away-habits.js';
import type { Look } from './context.js';

/** What has to have come before a silence means anything. */
const leastGaps = 3;
/** One that sends no reports, say a microcontroller, may speak whenever it likes: it is watched for so long first. */
const strangerKnownMs = 10 * 60_000;
const strangerGaps = 5;
/** From this part of its limit on, a gateway is waited for, so that those that went with it are told with it. */
const suspect = 0.6;
/** What is silent for so long is taken away rather than broken, ms. */
export const goneMs = 7 * 86_400_000;

interface Silent {
  /** When it was first found to be, and since when it was, by the monotonic clock; the latter also by the wall clock. */
  readonly atMs: number;
  readonly sinceMs: number;
  readonly wallMs: number;
  /** Which run of its agent it was. */
  readonly epoch: string | null;
  /** It is usually away for so long from that time of day on; 0 = no habit is known. */
  readonly usualMs: number;
}

export class SilenceRule {
  /** Those that are, whether told or not. */
  readonly #silent = new Map<string, Silent>();
  readonly habits: AwayHabits;
  /** How the last silence of each ended. */
  readonly endings = new Map<string, string>();

  constructor(habits = new AwayHabits()) {
    this.habits = habits;
  }

  /** @param wellMs  for how long the way to all gateways has been well; less than the grace: nobody is judged */
  judge(look: Look, wellMs: number): Finding[] {
    const { reading, config } = look;
    if (wellMs < config.graceMs) return [];
    const silent: GatewayReading[] = [];
    let suspects = 0;
    for (const gateway of reading.gateways) {
      const { silentMs = 0 } = gateway;
      const limitMs = limitOf(gateway, config);
      const share = silentMs / limitMs;
      if (silentMs > limitMs + goneMs) this.#gone(gateway);
      else if (share > 1) silent.push(gateway);
      else {
        this.#back(gateway, reading.atMs);
        if (share > suspect) suspects += 1;
      }
    }
    for (const gateway of silent) if (!this.#silent.has(gateway.id)) this.#begin(gateway, reading);
    const missed = silent.filter(({ id, silentMs = 0 }) => silentMs > this.#silent.get(id)!.usualMs);
    const waits = missed.length < config.groupFrom && missed.length + suspects >= config.groupFrom;
    return missed
      .filter(({ id }) => !waits || reading.atMs - this.#silent.get(id)!.atMs > config.everyMs)
      .map(gateway => findingOf(gateway, this.#silent.get(gateway.id)!.usualMs, look));
  }

  #begin({ id, epoch, silentMs = 0 }: GatewayReading, { atMs, nowMs }: Reading): void {
    const wallMs = nowMs - silentMs;
    const usualMs = this.habits.usualMs(id, wallMs);
    this.#silent.set(id, { atMs, sinceMs: atMs - silentMs, wallMs, epoch, usualMs });
    this.endings.delete(id);
  }

  #gone({ id }: GatewayReading): void {
    if (this.#silent.delete(id))
      this.endings.set(
        id,
        'nothing has come from it for a week, so it may have been taken away; it is watched again once it is heard',
      );
  }

  #back({ id, epoch, stopped, silentMs = 0 }: GatewayReading, atMs: number): void {
    const before = this.#silent.get(id);
    if (!before) return;
    this.#silent.delete(id);
    if (!stopped) this.habits.note(id, before.wallMs, atMs - silentMs - before.sinceMs);
    if (stopped) this.endings.set(id, 'it has ended as it was asked to');
    else if (epoch === before.epoch)
      this.endings.set(
        id,
        'it is back, the same run of its agent: look at its network rather than at the box',
      );
    else
      this.endings.set(
        id,
        'it is back with a new start of its agent: see its log for why the former run ended',
      );
  }
}

/** Infinite where silence means nothing. */
function limitOf(
  { stopped, isAgent, online, gaps, knownMs, usualGapMs }: GatewayReading,
  config: HealthConfig,
): number {
  const never = Number.POSITIVE_INFINITY;
  if (stopped) return never;
  if (!isAgent)
    return gaps < strangerGaps || knownMs < strangerKnownMs
      ? never
      : Math.max(4 * config.silentMs, 3 * usualGapMs);
  if (gaps < leastGaps) return never;
  // The broker says that its connection is gone: no need to wait for its next word.
  return online ? Math.max(config.silentMs, 2 * usualGapMs) : config.silentMs;
}

function findingOf(
  { id, site, silentMs = 0, online, devices }: GatewayReading,
  usualMs: number,
  { reading, config }: Look,
): Finding {
  const sinceMs = reading.nowMs - silentMs;
  const how = online
    ? 'Its connection was not closed: what it says does not get through, or it hangs.'
    : 'Its connection was closed without a goodbye.';
  return {
    kind: 'gateway-silent',
    device: id,
    deviceType: 'pipeline-gateway',
    site,
    severity: 'warning',
    title: `gateway ${id} is silent since ${clockText(sinceMs)}`,
    facts: [
      `Nothing came for ${secondsText(silentMs)}; ${plural(devices, 'device')} affected.`,
      how,
      ...(usualMs > 0 ? [`It is often away from this time of day on, but not for so long.`] : []),
    ],
    sinceMs,
    channels: [
      {
        field: 'silent',
        unit: 's',
        value: silentMs / 1000,
        limit: config.silentMs / 1000,
        direction: 'high',
      },
    ],
    causes: online
      ? [
          ['pipeline-network-gateway', 0.65],
          ['pipeline-gateway-hangs', 0.25],
        ]
      : [
          ['pipeline-gateway-down', 0.6],
          ['pipeline-network-gateway', 0.3],
        ],
    named: id,
    affected: [],
  };
}
