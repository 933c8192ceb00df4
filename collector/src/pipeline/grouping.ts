/** Many gateways with the same trouble at once are one trouble: of their site, or of what they all go through. */
import { getOrMake } from '@edgeward/shared/maps';
import { type Finding, listed } from './finding.js';
import type { Reading } from './readings.js';
import { collectorDevice } from './rows.js';

/** A group that has become small ends, and those that are left are told one by one. */
const leftMs = 60_000;

/** Of findings about several gateways. */
export const groupSubject = 'gateways';

const words: Readonly<Record<string, string>> = {
  'gateway-silent': 'are silent',
  'gateway-clock': 'have another time than the collector',
  'gateway-outbox': 'have a nearly full outbox',
  'gateway-delay': 'have their rows long on their way',
  'gateway-burst': 'send far more rows than ever',
  'channel-silent': 'have devices or channels that are silent',
  'rows-silent': 'report but send no rows',
  'gateway-unusual': 'are unlike their own past',
};

export class Groups {
  /** When each that is on has become small, by the monotonic clock; undefined = it has not. */
  readonly #on = new Map<string, { readonly sinceMs: number; smallAtMs: number | undefined }>();

  /** @returns findings of gateways, those that belong together as one */
  join(findings: readonly Finding[], reading: Reading, groupFrom: number): Finding[] {
    const kinds = byKind(findings);
    for (const kind of this.#on.keys()) if (!kinds.has(kind)) this.#on.delete(kind);
    return [...kinds].flatMap(([kind, own]) =>
      this.#isGroup(kind, own, reading, groupFrom) ? this.#grouped(kind, own, reading) : own,
    );
  }

  #isGroup(kind: string, own: readonly Finding[], reading: Reading, groupFrom: number): boolean {
    const heard = reading.gateways.filter(
      ({ silentMs, stopped }) => silentMs !== undefined && !stopped,
    ).length;
    const isMany = own.length >= groupFrom || (own.length >= 3 && own.length === heard);
    const on = this.#on.get(kind);
    if (isMany) {
      const sinceMs = on?.sinceMs ?? Math.min(...own.map(one => one.sinceMs));
      this.#on.set(kind, { sinceMs, smallAtMs: undefined });
      return true;
    }
    if (!on) return false;
    on.smallAtMs ??= reading.atMs;
    if (reading.atMs - on.smallAtMs <= leftMs) return true;
    this.#on.delete(kind);
    return false;
  }

  #grouped(kind: string, own: readonly Finding[], reading: Reading): Finding[] {
    const names = own.map(({ device }) => device).sort();
    const site = siteOf(own);
    const all = reading.gateways.filter(one => !one.stopped && (site === null || one.site === site));
    const { sinceMs } = this.#on.get(kind)!;
    const where = site === null ? '' : ` of site ${site}`;
    const what = words[kind] ?? 'have the same trouble';
    return [
      {
        kind,
        device: collectorDevice,
        deviceType: 'pipeline-collector',
        subject: groupSubject,
        site,
        severity: kind === 'gateway-silent' ? 'critical' : (own[0]?.severity ?? 'warning'),
        title: `${names.length} of ${all.length} gateways${where} ${what}`,
        facts: [`${names.length} of ${all.length} gateways${where}: ${listed(names)}.`],
        sinceMs,
        channels: own[0]?.channels ?? [],
        causes: causesOf(kind, site, reading, own),
        named: site ?? reading.collector.name,
        affected: names,
      },
    ];
  }
}

function byKind(findings: readonly Finding[]): Map<string, Finding[]> {
  const kinds = new Map<string, Finding[]>();
  for (const one of findings) getOrMake(kinds, one.kind, () => []).push(one);
  return kinds;
}

/** The one that all are of. */
function siteOf(own: readonly Finding[]): string | null {
  const [first, ...rest] = new Set(own.map(({ site }) => site));
  return rest.length === 0 ? (first ?? null) : null;
}

/** What they share comes first: nobody believes that five boxes have broken at once. */
function causesOf(
  kind: string,
  site: string | null,
  { gateways, collector }: Reading,
  own: readonly Finding[],
): Finding['causes'] {
  if (kind === 'gateway-clock')
    return [
      ['pipeline-collector-clock', 0.7],
      ['pipeline-gateway-clock', 0.2],
    ];
  if (kind === 'gateway-unusual') return [['pipeline-unusual', 0.4]];
  if (kind !== 'gateway-silent' && kind !== 'gateway-delay') return own[0]?.causes ?? [];
  const isWhole = gateways.some(one => one.site !== site && one.silentMs !== undefined && !one.stopped);
  if (site !== null && isWhole)
    return [
      ['pipeline-network-site', 0.8],
      ['pipeline-network-collector', 0.1],
    ];
  return collector.broker?.external
    ? [
        ['pipeline-broker', 0.6],
        ['pipeline-network-collector', 0.3],
      ]
    : [
        ['pipeline-network-collector', 0.8],
        ['pipeline-network-site', 0.1],
      ];
}
