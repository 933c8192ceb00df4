/** Reads the parts of a running collector. */
import { statfs } from 'node:fs/promises';
import type { Clock } from '@edgeward/shared/contracts';
import type { Gateway, Gateways } from '../gateways.js';
import type { Ingest } from '../ingest.js';
import type { Link } from '../link.js';
import type { ConsumerView } from '../runtime/view.js';
import { type CollectorReading, type GatewayReading, type Reading, sinkReading } from './readings.js';

export interface Parts {
  readonly name: string;
  readonly gateways: Pick<Gateways, 'all'>;
  readonly ingest: Pick<Ingest, 'counts' | 'traffic' | 'queuedBytes' | 'failure'>;
  readonly broker: () => Pick<Link, 'status' | 'connections' | 'refusals'> | undefined;
  readonly external: boolean;
  readonly followers: () => readonly { view(): ConsumerView }[];
  readonly blocked: () => string | null;
  readonly dataDir: string;
  readonly queueMaxBytes: number;
  readonly stopping: () => boolean;
  readonly clock: Clock;
}

export async function read(parts: Parts): Promise<Reading> {
  const freeBytes = await freeIn(parts.dataDir);
  const [nowMs, atMs] = [parts.clock.now(), parts.clock.monotonic()];
  return {
    nowMs,
    atMs,
    collector: collectorReading(parts, freeBytes),
    sinks: parts.followers().map(follower => sinkReading(follower.view())),
    gateways: parts.gateways.all().map(gateway => gatewayReading(gateway, atMs)),
  };
}

function collectorReading(parts: Parts, freeBytes: number | undefined): CollectorReading {
  const { name, ingest, broker, external, blocked, queueMaxBytes, stopping } = parts;
  const { blocks, rows, duplicates, deadLetters } = ingest.counts;
  const { journaled, released } = ingest.traffic.receipts;
  const link = broker();
  const cpu = process.cpuUsage();
  return {
    name,
    rows,
    blocks,
    duplicates,
    deadLetters,
    receipts: journaled + released,
    queuedBytes: ingest.queuedBytes,
    queueMaxBytes,
    connections: link?.connections ?? 0,
    refusals: [...(link?.refusals.values() ?? [])].reduce((sum, count) => sum + count, 0),
    broker: link && { ...link.status, external },
    failure: ingest.failure,
    blocked: blocked(),
    rssBytes: process.memoryUsage.rss(),
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    freeBytes,
    stopping: stopping(),
  };
}

function gatewayReading(gateway: Gateway, atMs: number): GatewayReading {
  const { id, state, report, reportedMs, pulse, rows, devices } = gateway;
  const { fresh, late } = pulse.takeRows();
  const { heardMs, firstMs, usualGapMs, gaps } = pulse;
  const outbox = report?.outbox;
  return {
    id,
    site: state?.site ?? report?.site ?? null,
    online: state?.online ?? false,
    stopped: state?.stopped === true && !state.online,
    isAgent: report !== undefined && reportedMs !== null,
    epoch: state?.epoch ?? report?.epoch ?? null,
    devices: devices.size,
    silentMs: heardMs === undefined ? undefined : atMs - heardMs,
    knownMs: heardMs === undefined || firstMs === undefined ? 0 : heardMs - firstMs,
    usualGapMs,
    gaps,
    rows,
    freshRows: fresh,
    lateRows: late,
    hops: pulse.takeHops(),
    outbox:
      outbox && reportedMs !== null
        ? {
            bytes: outbox.bytes,
            share: outbox.maxBytes > 0 ? outbox.bytes / outbox.maxBytes : 0,
            // By the gateway's own clock.
            ageS: outbox.oldestMs === null ? 0 : Math.max(0, report.atMs - outbox.oldestMs) / 1000,
          }
        : undefined,
    clockOffsetS: report && reportedMs !== null ? (report.atMs - reportedMs) / 1000 : undefined,
    reportedMs,
    rssBytes: report?.process.rssBytes,
    cpuSeconds: report?.process.cpuSeconds,
    reportAtMs: report?.atMs,
  };
}

/** Bytes; undefined = nobody knows. */
export async function freeIn(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
