/** What a consumer does when its sink fails, hangs, refuses or is paused. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Cursor, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { type Logger, silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Consumer, type ConsumerOptions } from '../consumer.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import { ScriptedSink } from '../testing/scripted-sink.js';

const never = new AbortController().signal;
const limit = { timeout: 30_000 };

async function rigFor(t: TestContext, blocks: number) {
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  {
    await using filled = await openJournal(folder);
    await filled.append(gateway.incoming(blocks));
  }
  const journal = await openJournal(folder);
  const clock = new FakeClock({ autoAdvance: true });
  const follow = async (sink: Sink, more: Partial<ConsumerOptions> = {}) => {
    const base = { name: 'sink', sink, journal, clock, log: silentLogger, lingerMs: 10 };
    const consumer = new Consumer({ ...base, ...more });
    await consumer.open();
    return consumer;
  };
  /** Runs until it holds, then to the end. */
  const runUntil = async (consumer: Consumer, holds: () => boolean) => {
    const stop = new AbortController();
    const running = consumer.run(stop.signal, never);
    await until(holds);
    stop.abort();
    await running;
  };
  const close = () => journal[Symbol.asyncDispose]();
  return { journal, gateway, clock, follow, runUntil, [Symbol.asyncDispose]: close };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

function range(from: number, through: number): number[] {
  return Array.from({ length: through - from + 1 }, (_, i) => from + i);
}

test(
  'what can never be stored goes to the dead letters alone, and all else is stored in order',
  limit,
  async t => {
    const seed = testSeed('poison among deliveries');
    const rng = seededRng(seed);
    for (let run = 0; run < 6; run++) {
      await using rig = await rigFor(t, 120);
      const { journal, follow, runUntil } = rig;
      const share = [0.01, 0.03, 0.1, 0.5, 0.95, 1][run]!;
      const poison = new Set(range(1, 120).filter(() => rng() < share));
      const sink = new ScriptedSink(({ deliveries }) => {
        const bad = deliveries.find(({ seq }) => poison.has(seq));
        if (bad) throw new EdgewardError('EW_SINK_REFUSED', `There is no room for ${bad.seq}.`);
      });
      const consumer = await follow(sink);
      await runUntil(consumer, () => consumer.lag === 0);
      const letters = journal.sinkLetters.list(200).map(letter => (letter.kind === 'rows' ? letter.seq : 0));
      assert.deepEqual(
        sink.seqs,
        range(1, 120).filter(seq => !poison.has(seq)),
      );
      assert.deepEqual(
        letters.sort((a, b) => a - b),
        [...poison],
      );
      for (const letter of journal.sinkLetters.list(200))
        assert.ok(
          letter.kind === 'rows' && letter.rows === 4 && letter.reason.includes(`for ${letter.seq}.`),
        );
      assert.ok(sink.calls.length <= 2 + poison.size * (Math.log2(120) + 3), `${sink.calls.length} calls`);
      assert.deepEqual([consumer.view().letters.rows, consumer.failure], [poison.size * 4, null]);
    }
  },
);

test('a refused delivery is passed also where the sink keeps its own cursor', limit, async t => {
  await using rig = await rigFor(t, 3);
  const { journal, gateway, follow, runUntil } = rig;
  const refuses = ({ deliveries }: { deliveries: readonly { seq: number }[] }) => {
    if (deliveries.some(({ seq }) => seq === 3)) throw new EdgewardError('EW_SINK_REFUSED', 'no');
  };
  const sink = new ScriptedSink(refuses);
  let cursor: Cursor | undefined;
  const own: Sink = {
    write: async (deliveries, after, deadline) => {
      await sink.write(deliveries, after, deadline);
      cursor = { ...after, received: after.received };
    },
    cursor: async () => cursor,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const consumer = await follow(own);
  await runUntil(consumer, () => consumer.lag === 0);
  assert.equal(cursor?.position, 3, 'a start does not write it again, whatever became of its letter');
  await journal.append(gateway.incoming(1));
  const again = await follow(own);
  await runUntil(again, () => again.lag === 0);
  assert.deepEqual(sink.seqs, [1, 2, 4]);
  assert.equal(journal.sinkLetters.list(9).length, 1);
});

test('after five failures in a row one delivery is tried, and all once that has worked', limit, async t => {
  await using rig = await rigFor(t, 20);
  const { clock, follow, runUntil } = rig;
  const times: number[] = [];
  const states: string[] = [];
  const sink: ScriptedSink = new ScriptedSink((_, nth) => {
    times.push(clock.monotonic());
    states.push(consumer.state);
    if (nth <= 8) throw new EdgewardError('EW_SINK_WRITE', 'connection refused');
  });
  const consumer = await follow(sink);
  await runUntil(consumer, () => consumer.lag === 0);
  const sizes = sink.calls.map(({ deliveries }) => deliveries.length);
  assert.deepEqual(sizes, [20, 20, 20, 20, 20, 1, 1, 1, 1, 19]);
  assert.deepEqual(states, ['running', ...Array(4).fill('retrying'), ...Array(4).fill('failing'), 'running']);
  const waits = times.slice(1, 9).map((at, i) => at - times[i]!);
  for (const [i, wait] of waits.entries()) {
    const span = Math.min(30_000, 500 * 2 ** i);
    assert.ok(wait >= span / 2 && wait <= span, `wait ${i}: ${wait}`);
  }
  assert.deepEqual(sink.seqs, range(1, 20));
  assert.equal(consumer.view().errors.get('EW_SINK_WRITE'), 8);
});

test('a server that asks for time gets it; one that denies is asked slowly, and says so', limit, async t => {
  await using rig = await rigFor(t, 1);
  const { clock, follow, runUntil } = rig;
  const times: number[] = [];
  const errors = [
    new EdgewardError('EW_SINK_BUSY', 'later', { retryAfterMs: 12_000 }),
    new EdgewardError('EW_SINK_DENIED', 'the token may not write'),
  ];
  const seen: unknown[] = [];
  const sink: ScriptedSink = new ScriptedSink(() => {
    times.push(clock.monotonic());
    const { state, failure } = consumer.view();
    seen.push([state, failure?.code ?? null, failure?.nextTryMs ?? null]);
    const error = errors.shift();
    if (error) throw error;
  });
  const consumer = await follow(sink);
  await runUntil(consumer, () => consumer.lag === 0);
  const [busy, denied] = times.slice(1).map((at, i) => at - times[i]!);
  assert.ok(busy! >= 12_000 && busy! <= 13_200, `${busy}`);
  assert.ok(denied! >= 30_000 && denied! <= 60_000, `${denied}`);
  assert.deepEqual(seen, [
    ['running', null, null],
    ['retrying', 'EW_SINK_BUSY', null],
    ['denied', 'EW_SINK_DENIED', null],
  ]);
});

test(
  'a failure is told once, as an error if nobody knows it; a view says since when and until when',
  limit,
  async t => {
    await using rig = await rigFor(t, 1);
    const { clock, follow, runUntil } = rig;
    const logged: string[] = [];
    const tell = (level: string) => () => void logged.push(level);
    const log = { warn: tell('warn'), error: tell('error'), info: tell('info') } as unknown as Logger;
    const sink = new ScriptedSink((_, nth) => {
      if (nth <= 3) throw new TypeError('cannot read properties of undefined');
    });
    const consumer = await follow(sink, { log });
    const beganMs = clock.now();
    let during = consumer.view();
    await runUntil(consumer, () => {
      const now = consumer.view();
      if (now.failure?.nextTryMs) during = now;
      return consumer.lag === 0;
    });
    assert.deepEqual(logged, ['error', 'info']);
    const { code, text, sinceMs, nextTryMs } = during.failure!;
    assert.deepEqual([code, text], [null, 'cannot read properties of undefined']);
    assert.ok(sinceMs >= beganMs && nextTryMs! > sinceMs);
    assert.equal(consumer.view().errors.get('unknown'), 3);
  },
);

test('a write that takes too long is called off and tried again, never beside itself', limit, async t => {
  await using rig = await rigFor(t, 4);
  const { follow, runUntil } = rig;
  let release = () => {};
  const sink = new ScriptedSink(({ signal }, nth) => {
    if (nth === 1)
      return new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    if (nth > 2) return undefined;
    // It does not listen: nothing is tried until it has ended by itself.
    return new Promise<void>((_, reject) => {
      release = () => reject(new Error('broken pipe'));
    });
  });
  const consumer = await follow(sink, { writeTimeoutMs: 25 });
  await runUntil(consumer, () => {
    if (sink.calls.length === 2 && sink.calls[1]!.signal.aborted) {
      assert.match(consumer.failure ?? '', /not ended within 0.025 s/);
      setTimeout(release, 20);
    }
    return consumer.lag === 0;
  });
  assert.deepEqual([sink.atOnce, sink.calls.length, sink.seqs], [1, 3, [1, 2, 3, 4]]);
});

test('what ends late but well is stored', limit, async t => {
  await using rig = await rigFor(t, 2);
  const { follow, runUntil } = rig;
  const sink = new ScriptedSink(
    ({ signal }) => new Promise<void>(resolve => signal.addEventListener('abort', () => resolve())),
  );
  const consumer = await follow(sink, { writeTimeoutMs: 20 });
  await runUntil(consumer, () => consumer.lag === 0);
  assert.deepEqual([sink.calls.length, sink.seqs, consumer.failure], [1, [1, 2], null]);
});

test('a sink that never ends a write does not hold up the end', limit, async t => {
  await using rig = await rigFor(t, 1);
  const { follow } = rig;
  const sink = new ScriptedSink(() => new Promise<void>(() => undefined));
  const consumer = await follow(sink);
  const [stop, deadline] = [new AbortController(), new AbortController()];
  const running = consumer.run(stop.signal, deadline.signal);
  await until(() => sink.calls.length === 1);
  stop.abort();
  deadline.abort();
  await running;
  assert.deepEqual([consumer.state, consumer.position], ['stopped', 0]);
  assert.equal(sink.calls[0]!.signal.aborted, true);
});

test('while a write is under way the next reading is read, and only that', limit, async t => {
  await using rig = await rigFor(t, 10);
  const { journal, follow, runUntil } = rig;
  const held: (readonly [number, number])[] = [];
  const sink: ScriptedSink = new ScriptedSink(
    async (_, nth) => {
      if (nth > 3) return;
      for (let i = 0; i < 200; i++) await new Promise(setImmediate);
      await consumer.between(async (position, inHand) => void held.push([position, inHand]));
    },
    { limits: { maxDeliveries: 3, maxBytes: 1e6 } },
  );
  const consumer = await follow(sink);
  await runUntil(consumer, () => consumer.lag === 0);
  assert.deepEqual(held, [
    [0, 6],
    [3, 9],
    [6, 10],
  ]);
  assert.deepEqual(sink.seqs, range(1, 10));
  assert.equal(journal.cursor('sink'), 10);
});

test('blocks that go while a sink is far behind are those it has not in hand', limit, async t => {
  await using rig = await rigFor(t, 12);
  const { journal, follow, runUntil } = rig;
  const sink: ScriptedSink = new ScriptedSink(
    async (_, nth) => {
      if (nth !== 1) return;
      await until(() => consumer.view().position === 0);
      await consumer.between(async (_position, inHand) => {
        assert.equal(inHand, 6);
        await journal.remove([[inHand + 1, 9]]);
      });
    },
    { limits: { maxDeliveries: 3, maxBytes: 1e6 } },
  );
  const consumer = await follow(sink);
  await runUntil(consumer, () => consumer.lag === 0);
  assert.deepEqual(sink.seqs, [1, 2, 3, 4, 5, 6, 10, 11, 12]);
});

test('paused, it ends what is under way and tries nothing more, until it is resumed', limit, async t => {
  await using rig = await rigFor(t, 2);
  const { journal, gateway, clock, follow } = rig;
  const sink: ScriptedSink = new ScriptedSink((_, nth) => {
    if (nth === 1) consumer.pause();
    if (nth === 2) throw new EdgewardError('EW_SINK_DENIED');
  });
  const consumer = await follow(sink);
  const stop = new AbortController();
  const running = consumer.run(stop.signal, never);
  await until(() => consumer.position === 2);
  assert.equal(consumer.state, 'paused');
  await journal.append(gateway.incoming(2));
  await clock.advance(3_600_000);
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  assert.deepEqual([sink.calls.length, consumer.lag], [1, 2]);
  consumer.resume();
  await until(() => consumer.state === 'denied');
  consumer.pause();
  const beforeMs = clock.monotonic();
  consumer.resume();
  await until(() => sink.kept.length === 4);
  assert.ok(clock.monotonic() - beforeMs < 30_000, 'it does not wait out the rest');
  consumer.pause();
  stop.abort();
  await running;
  assert.equal(consumer.state, 'stopped');
});

test('paused at the end, it leaves what is left for the next start', limit, async t => {
  await using rig = await rigFor(t, 2);
  const { follow } = rig;
  const sink = new ScriptedSink();
  const consumer = await follow(sink);
  consumer.pause();
  const stop = new AbortController();
  const running = consumer.run(stop.signal, never);
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  stop.abort();
  await running;
  assert.deepEqual([sink.calls.length, consumer.position], [0, 0]);
});

test('a view tells how far it lags, in blocks, rows and seconds', limit, async t => {
  await using rig = await rigFor(t, 5);
  const { journal, gateway, clock, follow, runUntil } = rig;
  const sink = new ScriptedSink();
  const consumer = await follow(sink);
  consumer.pause();
  const { lag, state } = consumer.view();
  assert.deepEqual([lag.blocks, lag.rows, state], [5, 20, 'paused']);
  assert.equal(lag.seconds, (clock.now() - 1000) / 1000, 'the oldest came at 1000');
  consumer.resume();
  await runUntil(consumer, () => consumer.lag === 0);
  const done = consumer.view();
  assert.deepEqual(done.lag, { blocks: 0, rows: 0, seconds: 0, notes: 0 });
  assert.deepEqual([done.blocksStored, done.rowsStored, done.writes, done.writeSeconds.count], [5, 20, 1, 1]);
  await journal.append(gateway.incoming(1));
  assert.deepEqual([consumer.lag, consumer.view().state], [1, 'stopped']);
});
