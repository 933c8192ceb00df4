/**
 * One sink in trouble is nobody else's trouble. Shown: beside five that are slow, hang, fail, are denied or refuse, the
 * p99 of another's delays, each in its quietest round, is at most twice what it is alone and 20 ms; so it waits for none
 * of their writes (1.5 s and for ever) or pauses. Not shown: that they cost nothing, since all share a processor.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { Consumer } from '../consumer.js';
import type { Journal } from '../journal/journal.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import { ScriptedSink } from '../testing/scripted-sink.js';

const never = new AbortController().signal;
const slowMs = 1500;
/**
 * Five rounds, each alone and then beside the others. Other work on the machine only ever adds to a delay: of each
 * kind the quietest round counts.
 */
const rounds = 5;
const blocks = 40;
/** The others also work: they read, and keep what is refused. On a busy machine that doubles with everything else. */
const allowedMs = 20;

const troubles: Readonly<Record<string, () => Promise<void> | void>> = {
  slow: () => systemClock.sleep(slowMs, never),
  hung: () => new Promise(() => undefined),
  broken: () => {
    throw new EdgewardError('EW_SINK_WRITE', 'connection refused');
  },
  denied: () => {
    throw new EdgewardError('EW_SINK_DENIED', 'wrong token');
  },
  refusing: () => {
    throw new EdgewardError('EW_SINK_REFUSED', 'no such column');
  },
};

/** Follows until it is disposed of, which waits for nobody. */
async function follow(journal: Journal, name: string, sink: Sink) {
  const consumer = new Consumer({ name, sink, journal, clock: systemClock, log: silentLogger, lingerMs: 5 });
  await consumer.open();
  const over = new AbortController();
  const running = consumer.run(over.signal, over.signal);
  return {
    consumer,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
    },
  };
}

test('sinks that are slow, hang, fail or refuse do not delay another', { timeout: 120_000 }, async t => {
  await using journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  const delays: number[] = [];
  const quick = new ScriptedSink(({ deliveries }) => {
    for (const { ingestedMs } of deliveries) delays.push(Date.now() - ingestedMs);
  });
  await using following = await follow(journal, 'quick', quick);
  const load = async (blocks: number) => {
    delays.length = 0;
    for (let i = 0; i < blocks; i++) {
      const now = { ingestedMs: Date.now() };
      await journal.append(gateway.incoming(2).map(one => ({ ...one, ...now })));
      await systemClock.sleep(4, never);
    }
    while (following.consumer.lag > 0) await systemClock.sleep(2, never);
    return [...delays];
  };
  const [alone, beside]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    alone.push(p99(await load(blocks)));
    const others: AsyncDisposable[] = [];
    for (const [name, act] of Object.entries(troubles)) {
      await journal.setCursor(`${name}-${round}`, journal.position);
      others.push(await follow(journal, `${name}-${round}`, new ScriptedSink(act)));
    }
    beside.push(p99(await load(blocks)));
    for (const other of others) await other[Symbol.asyncDispose]();
  }
  const [before, after] = [Math.min(...alone), Math.min(...beside)];
  t.diagnostic(`p99 alone ${before} ms (${alone}), beside the others ${after} ms (${beside})`);
  assert.ok(after <= 2 * before + allowedMs, `p99 ${after} ms beside the others, ${before} ms alone`);
  assert.equal(quick.kept.length, rounds * blocks * 4);
});

function p99(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
}
