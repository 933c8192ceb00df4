/** Devices, and fields of them, that no longer come while the rest of their gateway does. */
import { setImmediate as turn } from 'node:timers/promises';
import { getOrMake } from '@edgeward/shared/maps';
import type { Live } from '../../live.js';
import type { History } from '../../live-history.js';
import { type Finding, listed, plural, secondsText } from '../finding.js';
import type { GatewayReading } from '../readings.js';
import type { Look } from './context.js';

/**
 * Looks at which a device had something new, and over how many in all, before its silence means anything: somebody may
 * only have tried to send something. After a day it has been taken away.
 */
const knownGaps = 5;
const knownOver = 24;
const goneMs = 24 * 3_600_000;
/** Looks at which a field was there nearly always, before its absence does; and how many without it are enough. */
const knownLooks = 24;
const absentLooks = 5;
const nearlyAlways = 0.95;
/** How far one look counts for how often a field is there. */
const step = 0.02;
const halfLifeMs = 30 * 60_000;
const leastLearnedMs = 10_000;
/** Then others have their turn. */
const gatewaysAtOnce = 250;
const devicesAtOnce = 1000;

/**
 * A device that is switched off each evening is missed twice; what happened twice in two weeks, and ended, is how it is
 * used. The longest of such times are kept, one for each day.
 */
const rhythmMs = 15 * 24 * 3_600_000;
const mostAways = 16;
const mostlyMissed = 0.8;
const rhythmTimes = 1.25;

/** What is known of a device, by looks. */
interface Watched {
  history: History;
  updated: number;
  /** When it first and last had something new, by the monotonic clock. */
  firstMs: number;
  seenMs: number;
  usualGapMs: number;
  gaps: number;
  /** Looks since its last row at which it was missed while its gateway was heard. */
  missed: number;
  /** Times for which it was missed. */
  aways: readonly { readonly ms: number; readonly endMs: number }[];
  looks: number;
  fields: readonly string[];
  /** [F] how often each is there; in how many looks in a row it has not been. */
  there: Float32Array;
  absent: Uint8Array;
}

export class ChannelRule {
  readonly #live: Pick<Live, 'each'>;
  #watched = new Map<string, Map<string, Watched>>();

  constructor(live: Pick<Live, 'each'>) {
    this.#live = live;
  }

  /** @param isHeard  nothing is said of gateways that are silent themselves */
  async judge(look: Look, isHeard: (gateway: GatewayReading) => boolean): Promise<Finding[]> {
    await this.#note(look);
    const found: Finding[] = [];
    for (const [i, gateway] of look.reading.gateways.entries()) {
      if (i % gatewaysAtOnce === gatewaysAtOnce - 1) await turn();
      const devices = this.#watched.get(gateway.id);
      if (devices && isHeard(gateway)) found.push(...findingsOf(gateway, [...devices.values()], look));
    }
    return found;
  }

  /** Whether each device, and each `device.field`, has had something new since then. @param fromMs  monotonic clock */
  hasSeen(gateway: string, names: readonly string[], fromMs: number): boolean {
    const seen = new Set<string>();
    for (const { history, gaps, seenMs } of this.#watched.get(gateway)?.values() ?? []) {
      if (gaps === 0 || seenMs < fromMs) continue;
      seen.add(history.device);
      for (const [f, { name }] of history.schema.fields.entries())
        if (!history.isMissing(f)) seen.add(`${history.device}.${name}`);
    }
    return names.every(name => seen.has(name));
  }

  async #note({ reading: { atMs }, config }: Look): Promise<void> {
    const before = this.#watched;
    const watched = new Map<string, Map<string, Watched>>();
    let count = 0;
    for (const history of this.#live.each()) {
      count += 1;
      if (count % devicesAtOnce === 0) await turn();
      const { gateway, device } = history;
      const own = getOrMake(watched, gateway, () => new Map<string, Watched>());
      const known = before.get(gateway)?.get(device);
      own.set(device, known ?? freshOf(history, atMs));
      if (known) noted(known, history, atMs, config.everyMs);
    }
    this.#watched = watched;
  }
}

function freshOf(history: History, atMs: number): Watched {
  const fields = history.schema.fields.map(({ name }) => name);
  const empty = { usualGapMs: 0, gaps: 0, missed: 0, aways: [], looks: 0 };
  const there = new Float32Array(fields.length).fill(1);
  const absent = new Uint8Array(fields.length);
  return { history, updated: history.updated, firstMs: atMs, seenMs: atMs, ...empty, fields, there, absent };
}

function noted(known: Watched, history: History, atMs: number, everyMs: number): void {
  known.history = history;
  if (history.updated === known.updated) return;
  const gapMs = atMs - known.seenMs;
  known.gaps += 1;
  if (known.missed > 0) noteAway(known, gapMs, atMs, everyMs);
  const most = Math.max(2 * known.usualGapMs, leastLearnedMs);
  const learned = known.gaps < knownGaps ? gapMs : Math.min(gapMs, most);
  known.usualGapMs = Math.max(learned, known.usualGapMs * 2 ** (-gapMs / halfLifeMs));
  known.updated = history.updated;
  known.seenMs = atMs;
  const { fields } = history.schema;
  if (fields.length !== known.fields.length || fields.some(({ name }, f) => name !== known.fields[f]))
    return void Object.assign(known, {
      ...freshOf(history, atMs),
      firstMs: known.firstMs,
      gaps: known.gaps,
      usualGapMs: known.usualGapMs,
      aways: known.aways,
    });
  known.looks += 1;
  for (let f = 0; f < fields.length; f++) {
    if (fields[f]!.kind === 'string') continue;
    const isAbsent = history.isMissing(f);
    known.absent[f] = isAbsent ? Math.min(255, known.absent[f]! + 1) : 0;
    // A field that has gone stays one that was there, until that is usual.
    if (known.absent[f]! <= absentLooks) known.there[f]! += step * ((isAbsent ? 0 : 1) - known.there[f]!);
  }
}

/** An outage of its gateway, or of the collector, tells nothing of the device. */
function noteAway(known: Watched, ms: number, endMs: number, everyMs: number): void {
  if (known.missed * everyMs >= mostlyMissed * Math.min(ms, goneMs))
    known.aways = [...known.aways, { ms, endMs }]
      .filter(away => endMs - away.endMs < rhythmMs)
      .sort((a, b) => b.ms - a.ms)
      .slice(0, mostAways);
  known.missed = 0;
}

/** For how long it may be away as it was twice before, ms; 0 = it was not. */
function rhythmOf({ aways }: Watched, atMs: number): number {
  const [, second] = aways.filter(({ endMs }) => atMs - endMs < rhythmMs);
  return rhythmTimes * (second?.ms ?? 0);
}

function findingsOf(gateway: GatewayReading, devices: readonly Watched[], look: Look): Finding[] {
  const { config, reading } = look;
  const { atMs } = reading;
  const isKnown = ({ gaps, firstMs, seenMs }: Watched) =>
    gaps >= knownGaps && seenMs - firstMs >= knownOver * config.everyMs && atMs - seenMs < goneMs;
  const isSilent = (one: Watched, least: number, times: number) =>
    atMs - one.seenMs > Math.max(least * config.silentMs, times * one.usualGapMs);
  const known = devices.filter(isKnown);
  if (known.length === 0) return [];
  const missed = known.filter(one => isSilent(one, 1.5, 3));
  for (const one of missed) one.missed += 1;
  const isUsual = (one: Watched) => atMs - one.seenMs <= rhythmOf(one, atMs);
  if (known.every(one => isSilent(one, 4, 5) && !isUsual(one)))
    return gateway.isAgent ? [rowsSilent(gateway, known, look)] : [];
  const newest = Math.max(...devices.map(({ seenMs }) => seenMs));
  if (atMs - newest > config.silentMs) return []; // the rest does not come either
  const silent = missed.filter(one => !isUsual(one));
  const absent = devices.flatMap(one => (silent.includes(one) ? [] : fieldsAbsent(one)));
  if (silent.length + absent.length === 0) return [];
  return [channelSilent(gateway, silent, absent, look)];
}

function fieldsAbsent({ looks, fields, there, absent, history }: Watched): string[] {
  if (looks < knownLooks) return [];
  return fields
    .filter((_, f) => absent[f]! >= absentLooks && there[f]! > nearlyAlways - absentLooks * step)
    .map(field => `${history.device}.${field}`);
}

function about({ id, site }: GatewayReading) {
  return { device: id, deviceType: 'pipeline-gateway' as const, site, named: id };
}

function rowsSilent(gateway: GatewayReading, known: readonly Watched[], { reading }: Look): Finding {
  const silentMs = reading.atMs - Math.max(...known.map(({ seenMs }) => seenMs));
  return {
    ...about(gateway),
    kind: 'rows-silent',
    severity: 'warning',
    title: `gateway ${gateway.id} reports but sends no rows`,
    facts: [`No row came for ${secondsText(silentMs)}; ${plural(known.length, 'device')} affected.`],
    sinceMs: reading.nowMs - silentMs,
    channels: [{ field: 'rows_a_minute', unit: '1/min', value: 0, direction: 'low' }],
    causes: [
      ['pipeline-source-silent', 0.8],
      ['pipeline-gateway-hangs', 0.1],
    ],
    affected: known.map(({ history }) => history.device).sort(),
  };
}

function channelSilent(
  gateway: GatewayReading,
  silent: readonly Watched[],
  absent: readonly string[],
  { reading }: Look,
): Finding {
  const devices = silent.map(({ history }) => history.device).sort();
  const sinceMs = silent.reduce((first, { seenMs }) => Math.min(first, seenMs), reading.atMs);
  const names = [...devices, ...absent];
  const one = names.length === 1 ? names[0]! : undefined;
  const what = devices.length === 0 ? 'channel' : absent.length === 0 ? 'device' : 'device or channel';
  const parts = [
    devices.length > 0 && `No row of ${listed(devices)} comes any more`,
    absent.length > 0 && `no value of ${listed(absent)} comes any more`,
  ].filter(Boolean);
  return {
    ...about(gateway),
    kind: 'channel-silent',
    severity: 'warning',
    title: one
      ? `${what} ${one} of gateway ${gateway.id} is silent`
      : `${names.length} ${devices.length === 0 ? 'channels' : 'devices or channels'} of gateway ${gateway.id} are silent`,
    facts: [`${parts.join('; ')}, while the rest of the gateway does.`],
    sinceMs: reading.nowMs - (reading.atMs - sinceMs),
    channels: [],
    causes: [['pipeline-channel-silent', 0.85]],
    affected: names,
  };
}
