/** A set of sinks on fake servers, over a real journal. */
import assert from 'node:assert/strict';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Journal } from '../journal/journal.js';
import type { SinkMember } from '../sink-member.js';
import { SinkSet } from '../sink-set.js';
import { type SinkConfig, sinkConfig } from '../sinks/index.js';
import type { FakeServer } from './kept-sink.js';

const never = new AbortController().signal;

export function configOf(name: string, more: object = {}): SinkConfig {
  return sinkConfig.parse({ type: 'file', name, directory: `/nowhere/${name}`, ...more });
}

export interface More {
  /** Whether the sinks keep their cursors, or the journal does. */
  readonly own?: boolean;
  readonly sinks?: readonly SinkConfig[];
  readonly receiptAfter?: readonly string[];
  readonly clock?: Clock;
  readonly untilTrimmed?: () => Promise<void>;
  readonly onMoved?: () => void;
}

/** Sinks on these servers, by their names or by name and type; time passes by itself unless told. */
export function setOf(journal: Journal, servers: Readonly<Record<string, FakeServer>>, more: More = {}) {
  const { own = true, sinks = Object.keys(servers).map(name => configOf(name)), receiptAfter } = more;
  const { clock = new FakeClock({ autoAdvance: true }), untilTrimmed = async () => undefined } = more;
  const stop = new AbortController();
  let moved = 0;
  const set = new SinkSet({
    journal,
    untilTrimmed,
    create: ({ name, type }) => (servers[`${name}/${type}`] ?? servers[name]!).sink(own && type === 'file'),
    sinks,
    receiptAfter: receiptAfter ?? 'journal',
    onMoved: () => {
      moved += 1;
      more.onMoved?.();
    },
    lingerMs: 1,
    clock,
    log: silentLogger,
  });
  let running = Promise.resolve();
  return {
    set,
    moved: () => moved,
    change: (names: readonly SinkConfig[], required: 'journal' | readonly string[] = 'journal') =>
      set.change({ sinks: names, receiptAfter: required }),
    start: async () => {
      await set.open(stop.signal);
      // Its clock does not wait for disks.
      const isReady = (one: SinkMember) => one.isOpen || servers[one.name]?.isAway === true;
      await until('those that can be are open', () => set.all.every(isReady));
      running = set.run(stop.signal, never);
    },
    caughtUp: () => until('all have caught up', () => set.all.every(one => one.isOpen && one.lag === 0)),
    end: async () => {
      stop.abort();
      await running;
      await set[Symbol.asyncDispose]();
    },
  };
}

export function told(journal: Journal): string[] {
  return journal.events().map(({ text }) => text);
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.sleep(2, never);
  assert.ok(holds(), what);
}
