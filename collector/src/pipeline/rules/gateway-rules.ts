/** What gateways that are heard show: clock, outbox, way, bursts. */
import { type Finding, secondsText } from '../finding.js';
import type { GatewayReading } from '../readings.js';
import type { Look } from './context.js';

/** Share of the outbox's quota. */
const fullShare = 0.8;
const brimShare = 0.95;
/** So many times the most that it sent before, and so many rows a second more. */
const burstTimes = 5;
const burstRows = 50;
/** Looks that it takes to know what is usual. */
const knownLooks = 12;
/** What was most at a time is half forgotten after so long. */
const halfLifeMs = 12 * 3_600_000;
/** A burst becomes what is usual, little by little. */
const learned = 1.05;

interface Usual {
  peak: number;
  looks: number;
  /** When the burst began; undefined = there is none. */
  sinceMs: number | undefined;
}

interface Clock {
  readonly reportedMs: number;
  readonly offsetS: number;
  readonly off: number;
}

export class GatewayRules {
  #usual = new Map<string, Usual>();
  #clocks = new Map<string, Clock>();

  /** @param ownClockJumped  the collector's own clock did, so that offsets tell nothing of gateways */
  judge(look: Look, ownClockJumped: boolean): Finding[] {
    const usual = new Map<string, Usual>();
    const clocks = new Map<string, Clock>();
    const found: Finding[] = [];
    for (const gateway of look.reading.gateways) {
      const clock = this.#clockOf(gateway, look);
      if (clock) clocks.set(gateway.id, clock);
      if (clock && !ownClockJumped) found.push(...clockFinding(gateway, clock, look));
      found.push(...outbox(gateway, look), ...delay(gateway, look));
      usual.set(gateway.id, this.#usual.get(gateway.id) ?? { peak: 0, looks: 0, sinceMs: undefined });
      found.push(...burst(gateway, usual.get(gateway.id)!, look));
    }
    this.#usual = usual;
    this.#clocks = clocks;
    return found;
  }

  /** Counts reports in a row that are off. */
  #clockOf({ id, reportedMs, clockOffsetS }: GatewayReading, { config }: Look): Clock | undefined {
    if (reportedMs === null || clockOffsetS === undefined) return undefined;
    const known = this.#clocks.get(id);
    if (known?.reportedMs === reportedMs) return known;
    const isOff = Math.abs(clockOffsetS) * 1000 > config.clockMs;
    return { reportedMs, offsetS: clockOffsetS, off: isOff ? (known?.off ?? 0) + 1 : 0 };
  }
}

function about({ id, site }: GatewayReading, nowMs: number) {
  const place = { device: id, deviceType: 'pipeline-gateway' as const, site, named: id };
  return { ...place, sinceMs: nowMs, affected: [] };
}

/** A report may be late, and then looks as if the clock were behind; it cannot be early. */
function clockFinding(
  gateway: GatewayReading,
  { offsetS, off }: Clock,
  { reading, config }: Look,
): Finding[] {
  if (off === 0 || (off < 2 && offsetS < 0)) return [];
  const way = offsetS > 0 ? 'ahead' : 'behind';
  return [
    {
      ...about(gateway, reading.nowMs),
      kind: 'gateway-clock',
      severity: 'warning',
      title: `clock of gateway ${gateway.id} is ${way}`,
      facts: [`By its reports it is ${secondsText(Math.abs(offsetS) * 1000)} ${way} of the collector's.`],
      channels: [
        {
          field: 'clock_offset',
          unit: 's',
          value: offsetS,
          limit: config.clockMs / 1000,
          direction: offsetS > 0 ? 'high' : 'low',
        },
      ],
      causes: [
        ['pipeline-gateway-clock', 0.85],
        ['pipeline-collector-clock', 0.1],
      ],
    },
  ];
}

function outbox(gateway: GatewayReading, { reading }: Look): Finding[] {
  const { share = 0, ageS = 0 } = gateway.outbox ?? {};
  if (share < fullShare) return [];
  return [
    {
      ...about(gateway, reading.nowMs),
      kind: 'gateway-outbox',
      severity: share > brimShare ? 'critical' : 'warning',
      title: `outbox of gateway ${gateway.id} is nearly full`,
      facts: [
        `${Math.round(100 * share)} % of its quota is taken; its oldest block is ${secondsText(1000 * ageS)} old. Once it is full, rows are thinned or dropped, counted.`,
      ],
      channels: [{ field: 'outbox_share', unit: null, value: share, limit: fullShare, direction: 'high' }],
      causes: [
        ['pipeline-outbox-full', 0.6],
        ['pipeline-network-gateway', 0.3],
      ],
    },
  ];
}

/** From an agent to here: without what its clock is off by, as far as that is known. */
function delay(gateway: GatewayReading, { reading, config, lasting }: Look): Finding[] {
  const { id, hops, clockOffsetS = 0 } = gateway;
  const sentS = hops ? hops.sentS + Math.min(0, clockOffsetS) : 0;
  if (lasting(`delay ${id}`, sentS * 1000 > config.delayMs) < 2) return [];
  return [
    {
      ...about(gateway, reading.nowMs),
      kind: 'gateway-delay',
      severity: 'warning',
      title: `rows of gateway ${id} are long on their way`,
      facts: [`From its agent to the collector they take ${secondsText(1000 * sentS)}.`],
      channels: [
        { field: 'sent_delay', unit: 's', value: sentS, limit: config.delayMs / 1000, direction: 'high' },
      ],
      causes: [
        ['pipeline-network-gateway', 0.75],
        ['pipeline-gateway-overloaded', 0.15],
      ],
    },
  ];
}

function burst(gateway: GatewayReading, usual: Usual, { reading, before, lasting }: Look): Finding[] {
  const { id, freshRows } = gateway;
  const seconds = before ? (reading.atMs - before.atMs) / 1000 : 0;
  if (seconds <= 0) return [];
  const rate = freshRows / seconds;
  const { peak } = usual;
  const isMuch = usual.looks >= knownLooks && rate > burstTimes * peak && rate - peak > burstRows;
  const looks = lasting(`burst ${id}`, isMuch);
  usual.looks += 1;
  if (looks === 0) {
    usual.peak = Math.max(rate, peak * 2 ** ((-1000 * seconds) / halfLifeMs));
    usual.sinceMs = undefined;
    return [];
  }
  usual.peak *= learned;
  usual.sinceMs ??= reading.nowMs;
  if (looks < 2) return [];
  const often = Math.round(rate / Math.max(peak, 1));
  return [
    {
      ...about(gateway, reading.nowMs),
      kind: 'gateway-burst',
      severity: 'info',
      title: `gateway ${id} sends far more rows than ever`,
      facts: [`${Math.round(rate)} rows a second, ${often} times the most that it sent before.`],
      sinceMs: usual.sinceMs,
      channels: [
        { field: 'rows_per_second', unit: '1/s', value: rate, limit: burstTimes * peak, direction: 'high' },
      ],
      causes: [['pipeline-burst', 0.85]],
    },
  ];
}
