/** A dead letter whose rows its sink has stored otherwise is none any more: a replay would store them twice. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Cursor, Delivery, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Consumer } from '../consumer.js';
import type { Journal } from '../journal/journal.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import { notYetStored } from '../sinks/received.js';

const never = new AbortController().signal;
const limit = { timeout: 20_000 };

/** What a commit does instead of working: nothing, or all but answering. */
type Trouble = 'fails' | 'is not answered';

/** Keeps rows and cursor in one commit, takes nothing twice, and replays. */
class PlacedServer {
  readonly rows: string[] = [];
  cursor: Cursor | undefined;
  /** Seqs that it refuses, all of them or some rows. */
  readonly refused = new Map<number, readonly number[] | 'whole'>();
  /** Of the next commits that move the cursor. */
  readonly troubles: (Trouble | undefined)[] = [];

  constructor(readonly journal: Journal) {}

  sink(): Sink {
    return {
      cursor: async () => this.cursor,
      write: async (deliveries, after) => {
        const fresh = notYetStored(deliveries, this.cursor, after.journal);
        const whole = fresh.find(({ seq }) => this.refused.get(seq) === 'whole');
        if (whole) throw new EdgewardError('EW_SINK_REFUSED', `no room for ${whole.seq}`);
        await this.#refuseSome(fresh);
        const trouble = this.troubles.shift();
        if (trouble !== 'fails') {
          this.#take(fresh);
          this.cursor = after;
        }
        if (trouble) throw new EdgewardError('EW_SINK_WRITE', trouble);
      },
      replay: async (_, deliveries) => this.#take(deliveries),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async #refuseSome(deliveries: readonly Delivery[]): Promise<void> {
    for (const delivery of deliveries) {
      const rows = this.refused.get(delivery.seq);
      if (rows && rows !== 'whole')
        await this.journal.sinkLetters.keep('sink', [{ delivery, rows, reason: 'too long' }]);
    }
  }

  #take(deliveries: readonly Delivery[]): void {
    for (const { seq, batch } of deliveries)
      for (const [i, row] of batch.row.entries()) {
        const rows = this.refused.get(seq);
        if (rows === undefined || !rows.includes(i as never))
          this.rows.push(`${seq} ${batch.device[i]} ${row}`);
      }
  }
}

async function rigFor(t: TestContext, blocks: number) {
  const journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(blocks));
  const server = new PlacedServer(journal);
  const clock = new FakeClock({ autoAdvance: true });
  /** One life of the collector, as far as its sink is concerned. */
  const live = async (act?: (consumer: Consumer) => Promise<unknown>) => {
    const sink = server.sink();
    const consumer = new Consumer({ name: 'sink', sink, journal, clock, log: silentLogger, lingerMs: 1 });
    await consumer.open();
    const stop = new AbortController();
    const running = consumer.run(stop.signal, never);
    await act?.(consumer);
    while (consumer.lag > 0) await new Promise(setImmediate);
    stop.abort();
    await running;
    const ids = journal.sinkLetters.list(9).map(({ id }) => id);
    return { consumer, ids };
  };
  const isOnce = (rows: number) => {
    assert.deepEqual([server.rows.length, new Set(server.rows).size], [rows, rows], server.rows.join());
  };
  return { journal, server, live, isOnce, [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose]() };
}

const letterRows = (journal: Journal) =>
  journal.sinkLetters.list(9).map(letter => (letter.kind === 'rows' ? letter.rows : 0));

test('what an emptied store takes when it is filled again is no letter any more', limit, async t => {
  await using rig = await rigFor(t, 3);
  const { journal, server, live, isOnce } = rig;
  server.refused.set(2, 'whole').set(3, [0, 1]);
  await live();
  assert.deepEqual(letterRows(journal), [2, 4]);
  server.refused.delete(2);
  server.refused.set(3, [1]);
  server.cursor = undefined;
  server.rows.length = 0;
  await live();
  assert.deepEqual(letterRows(journal), [1], 'the row that was refused again');
  server.refused.clear();
  const { ids } = await live(async consumer => {
    const results = await consumer.replay(journal.sinkLetters.list(9).map(({ id }) => id));
    assert.deepEqual(
      results.map(({ stored }) => stored),
      [true],
    );
  });
  assert.deepEqual(ids, []);
  isOnce(12);
});

for (const trouble of ['fails', 'is not answered'] as const)
  test(`what was refused alone is not given again when the cursor's commit ${trouble}`, limit, async t => {
    await using rig = await rigFor(t, 3);
    const { journal, server, live, isOnce } = rig;
    server.refused.set(2, 'whole');
    // The first commit is of block 1; then the server would take block 2, if it were given it again.
    server.troubles.push(undefined, trouble);
    const take = server.troubles.shift.bind(server.troubles);
    server.troubles.shift = () => {
      const next = take();
      if (next) server.refused.clear();
      return next;
    };
    const { ids } = await live();
    assert.equal(ids.length, 1, 'its letter stays');
    await live(consumer => consumer.replay(ids));
    isOnce(12);
    assert.deepEqual(letterRows(journal), []);
  });

test(
  'rows that were refused in a commit without an answer stay letters, though the next try says stored',
  limit,
  async t => {
    await using rig = await rigFor(t, 2);
    const { journal, server, live, isOnce } = rig;
    server.refused.set(1, [0]);
    server.troubles.push('is not answered');
    const { ids } = await live();
    assert.deepEqual(letterRows(journal), [1]);
    server.refused.clear();
    await live(consumer => consumer.replay(ids));
    isOnce(8);
  },
);

test('a letter of what the sink has yet to come to waits for that', limit, async t => {
  await using rig = await rigFor(t, 2);
  const { journal, server, live, isOnce } = rig;
  server.refused.set(2, 'whole');
  const { ids } = await live();
  server.refused.clear();
  server.cursor = undefined;
  server.rows.length = 0;
  await live(async consumer => {
    const [result] = await consumer.replay(ids);
    assert.match(result!.reason ?? '', /yet to come to it/);
    assert.equal(server.rows.length, 0);
  });
  assert.deepEqual(letterRows(journal), []);
  isOnce(8);
});
