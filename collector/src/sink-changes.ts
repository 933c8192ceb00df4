import { isDeepStrictEqual } from 'node:util';
import type { SinkConfig } from './sinks/index.js';

/** What may change while the collector runs. */
export interface SinkOptions {
  readonly sinks: readonly SinkConfig[];
  /** Names of the sinks that have to store a block before its gateway may forget it. */
  readonly receiptAfter: 'journal' | readonly string[];
}

/** Names. */
export interface SinkChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Other options: it closes, opens again, and goes on where it stood. One of another type is removed and added. */
  readonly replaced: readonly string[];
  /** `receiptAfter` is another. */
  readonly receipts: boolean;
  /** What somebody may wonder about, in sentences. */
  readonly notes: readonly string[];
}

export const noChanges: SinkChanges = { added: [], removed: [], replaced: [], receipts: false, notes: [] };

export function planChanges(before: SinkOptions, after: SinkOptions): SinkChanges {
  const [former, next] = [byName(before.sinks), byName(after.sinks)];
  const isSame = (name: string) => former.get(name)?.type === next.get(name)?.type;
  const kept = [...next.keys()].filter(name => former.has(name) && isSame(name));
  return {
    added: [...next.keys()].filter(name => !kept.includes(name)),
    removed: [...former.keys()].filter(name => !kept.includes(name)),
    replaced: kept.filter(name => isOther(former.get(name)!, next.get(name)!)),
    receipts: !isDeepStrictEqual(namesIn(before), namesIn(after)),
    notes: kept
      .filter(name => former.get(name)!.startAt !== next.get(name)!.startAt)
      .map(name => `Sink ${name} has begun already: its startAt changes nothing.`),
  };
}

function byName(sinks: readonly SinkConfig[]): Map<string, SinkConfig> {
  return new Map(sinks.map(config => [config.name, config]));
}

/** Where it begins has been decided. */
function isOther({ startAt: _, ...one }: SinkConfig, { startAt: __, ...other }: SinkConfig): boolean {
  return !isDeepStrictEqual(one, other);
}

function namesIn({ receiptAfter }: SinkOptions): string[] {
  return receiptAfter === 'journal' ? [] : [...new Set(receiptAfter)].sort();
}
