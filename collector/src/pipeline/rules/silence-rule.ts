/** Gateways that nothing comes from any more, though it used to. */
import type { HealthConfig } from '../config.js';
import { clockText, type Finding, plural, secondsText } from '../finding.js';
import type { GatewayReading } from '../readings.js';
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

export class SilenceRule {
  /** When each was first found silent, by the monotonic clock, and which run of its agent it was. */
  readonly #silent = new Map<string, { readonly atMs: number; readonly epoch: string | null }>();
  /** How the last silence of each ended. */
  readonly endings = new Map<string, string>();

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
        this.#back(gateway);
        if (share > suspect) suspects += 1;
      }
    }
    for (const { id, epoch } of silent) {
      if (this.#silent.has(id)) continue;
      this.#silent.set(id, { atMs: reading.atMs, epoch });
      this.endings.delete(id);
    }
    const waits = silent.length < config.groupFrom && silent.length + suspects >= config.groupFrom;
    return silent
      .filter(({ id }) => !waits || reading.atMs - this.#silent.get(id)!.atMs > config.everyMs)
      .map(gateway => findingOf(gateway, look));
  }

  #gone({ id }: GatewayReading): void {
    if (this.#silent.delete(id))
      this.endings.set(
        id,
        'nothing has come from it for a week, so it may have been taken away; it is watched again once it is heard',
      );
  }

  #back({ id, epoch, stopped }: GatewayReading): void {
    const before = this.#silent.get(id);
    if (!before) return;
    this.#silent.delete(id);
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
    facts: [`Nothing came for ${secondsText(silentMs)}; ${plural(devices, 'device')} affected.`, how],
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
