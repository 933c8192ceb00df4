/**
 * What is known of each gateway, by its name. So many have series of their own; of all others together there is one
 * under a name that no gateway can have, so that the number of series has a bound, whoever connects.
 */
import { labelTextOf, type Metrics } from '@edgeward/shared/metrics/metrics';
import type { Gateway } from '../gateways.js';
import type { MetricSources } from '../metrics.js';

/** Gateways' names begin with a letter or a digit. */
export const others = '_others';

const labels = ['gateway'];

/** Of one gateway, or of all others together. */
interface Numbers {
  readonly labelText: string;
  readonly up: number;
  readonly rows: number;
  readonly lastRowS: number | undefined;
  readonly reportS: number | undefined;
  readonly outboxBytes: number | undefined;
  readonly outboxMaxBytes: number | undefined;
  readonly outboxBlocks: number | undefined;
  readonly oldestS: number | undefined;
  readonly clockOffsetS: number | undefined;
  readonly rssBytes: number | undefined;
  readonly cpuS: number | undefined;
}

interface Fleet {
  readonly own: readonly Gateway[];
  readonly rest: readonly Gateway[];
  readonly numbers: readonly Numbers[];
  readonly online: number;
}

const nobody: Fleet = { own: [], rest: [], numbers: [], online: 0 };

export function addFleetMetrics(
  metrics: Metrics,
  sources: () => Pick<MetricSources, 'gateways' | 'maxGateways'>,
): void {
  const share = new Share();
  let fleet = nobody;
  metrics.prepare(() => {
    const { gateways, maxGateways } = sources();
    fleet = fleetOf(share.split(gateways.all(), maxGateways));
  });
  metrics.gauge('collector_gateways', 'Gateways that are known', () => fleet.own.length + fleet.rest.length);
  metrics.gauge('collector_gateways_online', 'Gateways that are connected', () => fleet.online);
  metrics.gauge(
    'collector_gateways_summed',
    `Gateways without series of their own, beyond metrics.maxGateways: together they are gateway="${others}"`,
    () => fleet.rest.length,
  );
  metrics.gauges('gateway_info', 'Always 1', ['gateway', 'site', 'version'], () =>
    fleet.own.map(gateway => [gateway.id, siteOf(gateway), versionOf(gateway), 1] as const),
  );
  const { gauge, counter } = metrics.table(
    labels,
    () => fleet.numbers,
    ({ labelText }) => labelText,
  );
  gauge('gateway_up', `1 = connected; of "${others}": how many are`, ({ up }) => up);
  counter('gateway_rows_total', 'Rows journaled since the start of the collector', ({ rows }) => rows);
  gauge(
    'gateway_last_row_timestamp_seconds',
    'Time of its newest row since the start of the collector, Unix time',
    ({ lastRowS }) => lastRowS,
  );
  gauge(
    'gateway_last_report_timestamp_seconds',
    'When its last report came, Unix time of the collector',
    ({ reportS }) => reportS,
  );
  gauge('gateway_outbox_bytes', 'What waits in its outbox', ({ outboxBytes }) => outboxBytes);
  gauge('gateway_outbox_max_bytes', 'Quota of its outbox', ({ outboxMaxBytes }) => outboxMaxBytes);
  gauge('gateway_outbox_blocks', 'Blocks in its outbox', ({ outboxBlocks }) => outboxBlocks);
  gauge(
    'gateway_outbox_oldest_block_timestamp_seconds',
    'When the oldest block in its outbox was made, Unix time of the gateway; none while it is empty',
    ({ oldestS }) => oldestS,
  );
  gauge(
    'gateway_clock_offset_seconds',
    "Its clock less the collector's when its last report came, less how long that took",
    ({ clockOffsetS }) => clockOffsetS,
  );
  gauge('gateway_resident_memory_bytes', 'Resident memory of its agent', ({ rssBytes }) => rssBytes);
  counter('gateway_cpu_seconds_total', 'CPU time of its agent', ({ cpuS }) => cpuS);
}

/** Who has series of its own keeps them: first come, and by name at a start. */
class Share {
  readonly #own = new Set<string>();

  split(gateways: readonly Gateway[], max: number): { own: Gateway[]; rest: Gateway[] } {
    const own: Gateway[] = [];
    const rest: Gateway[] = [];
    for (const gateway of gateways) {
      if (!this.#own.has(gateway.id) && this.#own.size < max) this.#own.add(gateway.id);
      (this.#own.has(gateway.id) ? own : rest).push(gateway);
    }
    return { own, rest };
  }
}

function fleetOf({ own, rest }: { own: Gateway[]; rest: Gateway[] }): Fleet {
  const numbers = own.map(numbersOf);
  const left = rest.map(numbersOf);
  const online = [...numbers, ...left].reduce((sum, { up }) => sum + up, 0);
  return { own, rest, numbers: left.length === 0 ? numbers : [...numbers, together(left)], online };
}

function numbersOf({ id, state, report, reportedMs, lastRowMs, rows }: Gateway): Numbers {
  const { outbox } = report ?? {};
  return {
    labelText: labelTextOf(labels, [id]),
    up: state?.online ? 1 : 0,
    rows,
    lastRowS: seconds(lastRowMs),
    reportS: seconds(reportedMs),
    outboxBytes: outbox?.bytes,
    outboxMaxBytes: outbox?.maxBytes,
    outboxBlocks: outbox?.blocks,
    oldestS: seconds(outbox?.oldestMs),
    clockOffsetS: report && reportedMs !== null ? (report.atMs - reportedMs) / 1000 : undefined,
    rssBytes: report?.process.rssBytes,
    cpuS: report?.process.cpuSeconds,
  };
}

/** Sums of what adds up, the oldest of what is a time, the clock that is furthest off. */
function together(all: readonly Numbers[]): Numbers {
  const values = (of: (numbers: Numbers) => number | undefined) => all.flatMap(one => of(one) ?? []);
  const sum = (of: (numbers: Numbers) => number | undefined) => values(of).reduce((a, b) => a + b, 0);
  const oldest = (of: (numbers: Numbers) => number | undefined) => {
    const times = values(of);
    return times.length > 0 ? times.reduce((a, b) => Math.min(a, b)) : undefined;
  };
  const offsets = values(({ clockOffsetS }) => clockOffsetS);
  return {
    labelText: labelTextOf(labels, [others]),
    up: sum(({ up }) => up),
    rows: sum(({ rows }) => rows),
    lastRowS: oldest(({ lastRowS }) => lastRowS),
    reportS: oldest(({ reportS }) => reportS),
    outboxBytes: sum(({ outboxBytes }) => outboxBytes),
    outboxMaxBytes: sum(({ outboxMaxBytes }) => outboxMaxBytes),
    outboxBlocks: sum(({ outboxBlocks }) => outboxBlocks),
    oldestS: oldest(({ oldestS }) => oldestS),
    clockOffsetS: offsets.reduce<number | undefined>(
      (worst, offset) => (Math.abs(offset) > Math.abs(worst ?? 0) ? offset : (worst ?? offset)),
      undefined,
    ),
    rssBytes: sum(({ rssBytes }) => rssBytes),
    cpuS: undefined, // an agent that starts anew would look as if all had
  };
}

function seconds(ms: number | null | undefined): number | undefined {
  return ms === null || ms === undefined ? undefined : ms / 1000;
}

function siteOf({ state, report }: Gateway): string {
  return state?.site ?? report?.site ?? '';
}

/** It says so itself: what is no version is not passed on. */
function versionOf({ state, report }: Gateway): string {
  const version = state?.version ?? report?.version ?? '';
  return /^[0-9A-Za-z.+-]{1,32}$/.test(version) ? version : 'other';
}
