import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outbox, RecordBatch, Source, SourcePosition, Stage } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { pump } from './pump.js';

const never = new AbortController().signal;

/** Keeps what it is given; `durable` is up to the test. */
function keepingOutbox(durable: () => Promise<void> = async () => undefined) {
  const kept: { batch: RecordBatch; source: string; position: SourcePosition | undefined }[] = [];
  const outbox: Outbox = {
    epoch: '000000001-00000000000000aa',
    append: async (batch, { source, position }) => {
      kept.push({ batch, source, position });
      return { durable: durable().then(() => 'disk' as const) };
    },
    async *entries() {},
    receive: async () => undefined,
    link: () => undefined,
    forgotten: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { outbox, kept };
}

const marks: Stage = { process: batch => ({ ...batch, model: `${batch.model ?? ''}+` }) };

function options(source: Source, outbox: Outbox, more: { onFailure?: (error: unknown) => void } = {}) {
  const clock = new FakeClock({ autoAdvance: true });
  return { name: 's', source, stages: [marks, marks], outbox, clock, log: silentLogger, ...more };
}

test('every batch goes through the stages, in order, with the position that was true at its yield', async () => {
  const batches = new TestBatches();
  let offset = 0;
  const source: Source = {
    acknowledges: false,
    position: () => ({ offset }),
    async *read() {
      for (; offset < 3; ) {
        offset += 1;
        yield batches.next(offset);
      }
    },
  };
  const { outbox, kept } = keepingOutbox();
  await pump(options(source, outbox), never, never);
  assert.deepEqual(
    kept.map(({ batch, source, position }) => [batch.time.length, batch.model, source, position]),
    [1, 2, 3].map(n => [2 * n, '++', 's', { offset: n }]),
  );
});

test('a source that acknowledges goes on only when its batch is durable; a polled one does not wait', async () => {
  for (const acknowledges of [true, false]) {
    const stored = new Gate();
    const { outbox, kept } = keepingOutbox(() => stored.wait());
    const batches = new TestBatches();
    let yielded = 0;
    const source: Source = {
      acknowledges,
      async *read() {
        for (; yielded < 2; yielded++) yield batches.next(1);
      },
    };
    const pumping = pump(options(source, outbox), never, never);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    assert.equal(kept.length, acknowledges ? 1 : 2);
    let pumped = false;
    void pumping.then(() => {
      pumped = true;
    });
    while (!pumped) {
      stored.open();
      await new Promise(setImmediate);
    }
    assert.equal(kept.length, 2);
  }
});

test('is entered again after an error that may pass; the batch handed over again is processed once', async () => {
  const batch = new TestBatches().next(1);
  let entered = 0;
  const source: Source = {
    acknowledges: true,
    async *read() {
      entered += 1;
      if (entered === 1) throw new EdgewardError('EW_SOURCE_UNAVAILABLE');
      yield batch;
    },
  };
  let failures = 2;
  const { outbox, kept } = keepingOutbox(async () => {
    if (failures-- > 0) throw new EdgewardError('EW_STORE_WRITE');
  });
  let processed = 0;
  const counting: Stage = {
    process: batch => {
      processed += 1;
      return { ...batch, model: `${processed}` };
    },
  };
  await pump({ ...options(source, outbox), stages: [counting] }, never, never);
  assert.equal(entered, 4);
  assert.deepEqual(
    kept.map(({ batch }) => batch.model),
    ['1', '1', '1'],
  );
});

test('gives up for good, and says so, on an error that no later try can mend', async () => {
  for (const error of [new EdgewardError('EW_SOURCE_INPUT', 'line 7'), new TypeError('a mistake')]) {
    const failures: unknown[] = [];
    const source: Source = {
      acknowledges: false,
      // biome-ignore lint/correctness/useYield: it fails before it has anything
      async *read() {
        throw error;
      },
    };
    const onFailure = (failure: unknown) => void failures.push(failure);
    await pump(options(source, keepingOutbox().outbox, { onFailure }), never, never);
    assert.deepEqual(failures, [error]);
  }
});

test('ends at stop while it waits for another try, and quietly when the outbox closes', async () => {
  const stop = new AbortController();
  const clock = new FakeClock();
  let closed = 0;
  const unreachable: Source = {
    acknowledges: false,
    async *read() {
      try {
        yield new TestBatches().next(1);
      } finally {
        closed += 1;
      }
    },
  };
  const outbox = keepingOutbox().outbox;
  const refusing = (code: 'EW_STORE_WRITE' | 'EW_STOPPED'): Outbox => ({
    ...outbox,
    append: async () => {
      throw new EdgewardError(code);
    },
  });
  const unexpected = { onFailure: () => assert.fail('not a failure of the source') };
  const pumping = pump(
    { ...options(unreachable, refusing('EW_STORE_WRITE'), unexpected), clock },
    stop.signal,
    never,
  );
  await clock.someoneSleeps();
  stop.abort();
  await pumping;
  await pump(options(unreachable, refusing('EW_STOPPED'), unexpected), never, never);
  assert.equal(closed, 2, 'and what the source holds open is closed');
});

test('a batch without rows goes past the stages', async () => {
  const batch = new TestBatches().next(1);
  const none = {
    ...batch,
    time: batch.time.slice(0, 0),
    row: batch.row.slice(0, 0),
  };
  const source: Source = {
    acknowledges: true,
    position: () => ({ offset: 1 }),
    async *read() {
      yield none;
    },
  };
  const { outbox, kept } = keepingOutbox();
  await pump(options(source, outbox), never, never);
  assert.deepEqual(kept, [{ batch: none, source: 's', position: { offset: 1 } }]);
});
