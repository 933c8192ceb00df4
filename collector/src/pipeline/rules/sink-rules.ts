/** Sinks, and who reads behind them. */
import { clean } from '../../notifiers/format.js';
import { clockText, type Finding, secondsText } from '../finding.js';
import type { SinkReading } from '../readings.js';
import { sinkDevice } from '../rows.js';
import type { Look } from './context.js';

/** A sink that has failed for so long will not come back by itself. */
const longMs = 10 * 60_000;
/** Looks that a lag is followed over, in how many of them, and by what share of that time, it has to grow. */
const followed = 5;
const leastRises = 2;
const growing = 0.25;
/** One that has grown for so many of them by that share is told at half the limit: it will not come back by itself. */
const steadyRises = 4;
const steadyGrowing = 0.4;

/** A group that has taken all may be behind the marker of the last transaction, for as long as nothing more comes. */
const markers = 1;

interface Lag {
  readonly atMs: number;
  readonly seconds: number;
}

export class SinkRules {
  #lags = new Map<string, Lag[]>();

  judge(look: Look): Finding[] {
    const lags = new Map<string, Lag[]>();
    const isTooMuch = (key: string, seconds: number) => {
      const past = [...(this.#lags.get(key) ?? []), { atMs: look.reading.atMs, seconds }].slice(
        -1 - followed,
      );
      lags.set(key, past);
      return isBehind(past, look.config.lagMs / 1000);
    };
    const found = look.reading.sinks.flatMap(sink => [
      ...failing(sink, look),
      ...slow(sink, look, isTooMuch(sink.name, sink.lag.seconds)),
      ...readers(sink, look, isTooMuch),
    ]);
    this.#lags = lags;
    return found;
  }
}

/** Not by one jump, as when a sink is set back and catches up from there. @param limitS  health.lagMs */
function isBehind(past: readonly Lag[], limitS: number): boolean {
  const [first, last] = [past[0]!, past.at(-1)!];
  const rises = past.filter(({ seconds }, i) => i > 0 && seconds > past[i - 1]!.seconds).length;
  if (past.some(({ seconds }) => seconds > last.seconds)) return false;
  const growth = (1000 * (last.seconds - first.seconds)) / Math.max(1, last.atMs - first.atMs);
  if (last.seconds >= limitS) return rises >= leastRises && growth > growing;
  return last.seconds >= limitS / 2 && rises >= steadyRises && growth > steadyGrowing;
}

function about(sink: SinkReading) {
  const place = { device: sinkDevice(sink.name), deviceType: 'pipeline-sink' as const, site: null };
  return { ...place, named: sink.name, affected: [] };
}

function failing(sink: SinkReading, { reading, config }: Look): Finding[] {
  const { name, failure, state, lag } = sink;
  const { nowMs, collector } = reading;
  if (state === 'stopped' && !collector.stopping)
    return [
      {
        ...about(sink),
        kind: 'sink-stopped',
        severity: 'critical',
        title: `sink ${name} has ended and stores nothing`,
        facts: ['It takes nothing any more, though the collector runs.'],
        ...(failure && { said: clean(failure.text, 300) }),
        sinceMs: failure?.sinceMs ?? nowMs,
        channels: [upChannel],
        causes: [['pipeline-sink-stopped', 0.9]],
      },
    ];
  if (!failure || state === 'paused') return [];
  const failsMs = nowMs - failure.sinceMs;
  if (failsMs < config.sinkFailingMs && state !== 'denied') return [];
  const denied = state === 'denied';
  return [
    {
      ...about(sink),
      kind: 'sink-failing',
      severity: failsMs > longMs ? 'critical' : 'warning',
      title: denied
        ? `sink ${name} is refused by its server since ${clockText(failure.sinceMs)}`
        : `sink ${name} fails since ${clockText(failure.sinceMs)}`,
      facts: [
        `Its writes have failed for ${secondsText(failsMs)}; ${lag.blocks} blocks wait for it, and the journal keeps them.`,
      ],
      said: clean(failure.text, 300),
      sinceMs: failure.sinceMs,
      channels: [upChannel],
      causes: denied
        ? [['pipeline-sink-denied', 0.95]]
        : [
            ['pipeline-sink-down', 0.85],
            ['pipeline-network-sink', 0.1],
          ],
    },
  ];
}

const upChannel = { field: 'up', unit: null, value: 0, limit: 1, direction: 'low' } as const;

function slow(sink: SinkReading, { reading, config }: Look, isTooMuch: boolean): Finding[] {
  const { name, lag, state, failure } = sink;
  if (state !== 'running' || failure || !isTooMuch) return [];
  const sinceMs = reading.nowMs - lag.seconds * 1000;
  return [
    {
      ...about(sink),
      kind: 'sink-slow',
      severity: 'warning',
      title: `sink ${name} falls behind`,
      facts: [
        `It lags by ${secondsText(lag.seconds * 1000)} and ${lag.blocks} blocks, and the lag grows; its writes do not fail.`,
      ],
      sinceMs,
      channels: [
        { field: 'lag', unit: 's', value: lag.seconds, limit: config.lagMs / 1000, direction: 'high' },
      ],
      causes: [
        ['pipeline-sink-slow', 0.85],
        ['pipeline-burst', 0.1],
      ],
    },
  ];
}

/** One finding for a group, whatever topics and partitions it lags on. */
function readers(
  sink: SinkReading,
  { reading, config }: Look,
  isTooMuch: (key: string, seconds: number) => boolean,
): Finding[] {
  const groups = new Map<string, { seconds: number; messages: number }>();
  for (const { group, seconds, messages } of sink.readers) {
    if (messages <= markers) continue;
    const known = groups.get(group) ?? { seconds: 0, messages: 0 };
    groups.set(group, { seconds: Math.max(known.seconds, seconds), messages: known.messages + messages });
  }
  return [...groups].flatMap(([group, { seconds, messages }]) => {
    const lags = isTooMuch(`${sink.name} ${group}`, seconds);
    if (!lags || messages === 0) return [];
    return [
      {
        ...about(sink),
        kind: 'consumer-slow',
        subject: group,
        severity: 'warning' as const,
        title: `consumer group ${clean(group, 60)} behind sink ${sink.name} falls behind`,
        facts: [
          `It has yet to take ${messages} messages, the oldest ${secondsText(seconds * 1000)} old, and the lag grows.`,
        ],
        sinceMs: reading.nowMs - seconds * 1000,
        channels: [
          {
            field: 'consumer_lag',
            unit: 's',
            value: seconds,
            limit: config.lagMs / 1000,
            direction: 'high' as const,
          },
          { field: 'consumer_lag_messages', unit: null, value: messages, direction: 'high' as const },
        ],
        causes: [['pipeline-consumer', 0.9] as const],
        named: clean(group, 60),
      },
    ];
  });
}
