/** The collector by itself: broker, journal, disk, clock, room. */
import { clean } from '../../notifiers/format.js';
import { type Finding, plural, secondsText } from '../finding.js';
import { collectorDevice } from '../rows.js';
import type { Look } from './context.js';

/** What happens in a moment is told for so long. */
const shownMs = 60_000;
/** A commit takes milliseconds; from here on agents wait for it. */
const slowCommitS = 1;
const fullQueue = 0.8;
const mebibyte = 1024 * 1024;

type Told = Pick<Finding, 'kind' | 'severity' | 'title' | 'facts' | 'causes'> & Partial<Finding>;

interface Moment {
  readonly atMs: number;
  readonly sinceMs: number;
  readonly byMs: number;
}

export class CollectorRules {
  #jumped: Moment | undefined;
  #stood: Moment | undefined;

  /** When the collector's clock last jumped, by the monotonic clock. */
  get jumpedAtMs(): number | undefined {
    return this.#jumped?.atMs;
  }

  judge(look: Look): Finding[] {
    const { name } = look.reading.collector;
    const told = [
      ...journal(look),
      ...broker(look),
      ...disk(look),
      ...slowDisk(look),
      ...queue(look),
      ...this.#clock(look),
      ...this.#stoodStill(look),
    ];
    return told.map(one => ({
      device: collectorDevice,
      deviceType: 'pipeline-collector',
      site: null,
      sinceMs: look.reading.nowMs,
      channels: [],
      named: name,
      affected: [],
      ...one,
    }));
  }

  /** Wall clock against the monotonic one: only the former is ever set. */
  #clock({ reading, before, config }: Look): Told[] {
    if (before) {
      const byMs = reading.nowMs - before.nowMs - (reading.atMs - before.atMs);
      if (Math.abs(byMs) > config.clockMs)
        this.#jumped = { atMs: reading.atMs, sinceMs: reading.nowMs, byMs };
    }
    const { atMs, sinceMs, byMs } = this.#jumped ?? {};
    if (atMs === undefined || sinceMs === undefined || byMs === undefined) return [];
    if (reading.atMs - atMs > shownMs) return [];
    const way = byMs > 0 ? 'forward' : 'back';
    return [
      {
        kind: 'collector-clock',
        severity: 'warning',
        title: `clock of collector ${reading.collector.name} jumped ${way} by ${secondsText(Math.abs(byMs))}`,
        facts: [`Its clock went ${way} by ${(Math.abs(byMs) / 1000).toFixed(1)} s between two looks.`],
        sinceMs,
        channels: [
          {
            field: 'clock_jump',
            unit: 's',
            value: byMs / 1000,
            limit: config.clockMs / 1000,
            direction: byMs > 0 ? 'high' : 'low',
          },
        ],
        causes: [['pipeline-collector-clock', 0.95]],
      },
    ];
  }

  #stoodStill({ reading, before, config }: Look): Told[] {
    const byMs = before ? reading.atMs - before.atMs - config.everyMs : 0;
    if (before && byMs > stalledMs(config.everyMs))
      this.#stood = { atMs: reading.atMs, sinceMs: before.nowMs, byMs };
    const stood = this.#stood;
    if (!stood || reading.atMs - stood.atMs > shownMs) return [];
    return [
      {
        kind: 'collector-stood-still',
        severity: 'warning',
        title: `collector ${reading.collector.name} stood still for ${secondsText(stood.byMs)}`,
        facts: [
          'Nothing was done between two looks: neither was anything taken in, nor did any sink get on.',
        ],
        sinceMs: stood.sinceMs,
        causes: [['pipeline-collector-stalled', 0.9]],
      },
    ];
  }
}

/** Longer than a busy event loop takes. */
export function stalledMs(everyMs: number): number {
  return 2 * everyMs + 3000;
}

function journal({ reading: { collector } }: Look): Told[] {
  const { name, failure, blocked } = collector;
  if (blocked !== null)
    return [
      {
        kind: 'collector-blocked',
        severity: 'critical',
        title: `collector ${name} takes nothing in: its journal is full and a sink lags`,
        facts: ['A sink that receipts wait for has not stored what would have to be deleted.'],
        said: clean(blocked, 300),
        causes: [['pipeline-journal-blocked', 0.95]],
      },
    ];
  if (failure === null) return [];
  return [
    {
      kind: 'collector-journal',
      severity: 'critical',
      title: `collector ${name} takes nothing in: its journal cannot be written`,
      facts: ['What arrives cannot be stored, and nothing is confirmed to gateways.'],
      said: clean(failure, 300),
      channels: [{ field: 'journal_up', unit: null, value: 0, limit: 1, direction: 'low' }],
      causes: [['pipeline-journal-disk', 0.95]],
    },
  ];
}

function broker({ reading: { collector }, lasting }: Look): Told[] {
  const { name, broker, stopping } = collector;
  const isDown = broker !== undefined && !broker.ok && !stopping;
  if (lasting('broker', isDown) < 2 || !broker) return [];
  return [
    {
      kind: 'broker-down',
      severity: 'critical',
      title: broker.external
        ? `collector ${name} is cut off from its MQTT broker`
        : `the MQTT broker of collector ${name} does not listen`,
      facts: ['In two looks it was not there.'],
      said: clean(broker.detail, 300),
      channels: [{ field: 'broker_up', unit: null, value: 0, limit: 1, direction: 'low' }],
      causes: [
        ['pipeline-broker', 0.85],
        ['pipeline-network-collector', 0.1],
      ],
    },
  ];
}

function disk({ reading: { collector }, config }: Look): Told[] {
  const { name, freeBytes } = collector;
  if (freeBytes === undefined || freeBytes >= config.minFreeBytes) return [];
  const [free, least] = [Math.round(freeBytes / mebibyte), Math.round(config.minFreeBytes / mebibyte)];
  return [
    {
      kind: 'collector-disk',
      severity: freeBytes < config.minFreeBytes / 4 ? 'critical' : 'warning',
      title: `disk of collector ${name} is nearly full`,
      facts: [`${free} MiB are free; below ${least} MiB it is told (health.minFreeBytes).`],
      channels: [
        { field: 'disk_free', unit: 'B', value: freeBytes, limit: config.minFreeBytes, direction: 'low' },
      ],
      causes: [['pipeline-disk-full', 0.95]],
    },
  ];
}

/** Commits take long, or what waits does not get on at all. */
function slowDisk({ reading, before, lasting }: Look): Told[] {
  const { collector, gateways } = reading;
  const commitS = gateways.reduce((most, { hops }) => Math.max(most, hops?.ingestedS ?? 0), 0);
  const stands =
    before !== undefined &&
    collector.failure === null &&
    collector.blocked === null &&
    collector.queuedBytes > 0 &&
    before.collector.queuedBytes > 0 &&
    collector.blocks === before.collector.blocks;
  if (lasting('slow-disk', commitS > slowCommitS || stands) < 2) return [];
  const fact = stands
    ? 'Blocks wait for the journal, and none was stored between two looks.'
    : `A commit of the journal took ${commitS.toFixed(1)} s; usual are milliseconds.`;
  return [
    {
      kind: 'collector-disk-slow',
      severity: 'warning',
      title: `journal of collector ${collector.name} is slow`,
      facts: [fact],
      channels: [
        {
          field: 'ingested_delay',
          unit: 's',
          value: stands ? null : commitS,
          limit: slowCommitS,
          direction: 'high',
        },
      ],
      causes: [
        ['pipeline-disk-slow', 0.8],
        ['pipeline-collector-overloaded', 0.15],
      ],
    },
  ];
}

function queue({ reading: { collector }, lasting }: Look): Told[] {
  const { name, queuedBytes, queueMaxBytes, failure, blocked } = collector;
  const share = queuedBytes / queueMaxBytes;
  const isFull = share > fullQueue && failure === null && blocked === null;
  if (lasting('queue', isFull) < 2) return [];
  return [
    {
      kind: 'collector-overloaded',
      severity: 'warning',
      title: `collector ${name} takes in less than comes`,
      facts: [
        `${Math.round(100 * share)} % of what may wait for the journal waits; ${plural(Math.round(queuedBytes / mebibyte), 'MiB')}.`,
      ],
      channels: [{ field: 'queue_share', unit: null, value: share, limit: fullQueue, direction: 'high' }],
      causes: [
        ['pipeline-collector-overloaded', 0.7],
        ['pipeline-disk-slow', 0.2],
      ],
    },
  ];
}
