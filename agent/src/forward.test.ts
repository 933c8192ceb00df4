import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry, Outbox, Receipt, Uplink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { describe } from '@edgeward/shared/wire';
import { forward } from './forward.js';

const epoch = '000000001-00000000000000aa';
const described = describe(testSchema);
const never = new AbortController().signal;

/** Holds seq 1…n until they are released; its walks end when nothing is left. */
function outboxOf(n: number) {
  const held = new Set(Array.from({ length: n }, (_, i) => i + 1));
  const links: boolean[] = [];
  const outbox: Outbox = {
    epoch,
    append: () => assert.fail('nobody appends'),
    async *entries() {
      for (const seq of [...held])
        yield { epoch, seq, lane: 'live', bytes: new Uint8Array(1), described } satisfies Entry;
    },
    receive: async ({ from, through }) => {
      for (let seq = from; seq <= through; seq++) held.delete(seq);
    },
    link: up => void links.push(up),
    forgotten: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { outbox, held, links };
}

/** Receipts one by one; `links` says after how many each link breaks, and with what. */
function uplinkOf(links: readonly { receipts: number; error?: Error }[]) {
  const calls: number[][] = [];
  const uplink: Uplink = {
    async *exchange(entries): AsyncGenerator<Receipt, void, void> {
      const { receipts, error } = links[calls.length] ?? { receipts: Number.POSITIVE_INFINITY };
      const seqs: number[] = [];
      calls.push(seqs);
      for await (const { seq } of entries) {
        if (seqs.length === receipts) break;
        seqs.push(seq);
        yield { epoch, from: seq, through: seq, mark: 'released' };
      }
      if (error) throw error;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { uplink, calls };
}

const lost = new EdgewardError('EW_LINK_LOST');

test('goes on over link after link, and sends again only what was not received', async () => {
  const { outbox, held, links: told } = outboxOf(5);
  const links = [
    { receipts: 0, error: lost },
    { receipts: 2, error: new EdgewardError('EW_RECEIPT_LATE') },
    { receipts: 0, error: new TypeError('even a mistake of ours does not end it') },
  ];
  const { uplink, calls } = uplinkOf(links);
  const clock = new FakeClock({ autoAdvance: true });
  await forward({ outbox, uplink, clock, log: silentLogger }, never, never);
  assert.deepEqual(calls, [[], [1, 2], [], [3, 4, 5]]);
  assert.equal(held.size, 0);
  const changes = told.filter((up, i) => up !== told[i - 1]);
  assert.deepEqual(changes, [true, false, true, false, true, false, true, false], 'and the outbox knows');
});

test('waits longer after each failure, up to a bound, and from the beginning after a receipt', async () => {
  const waits: number[] = [];
  const clock = new FakeClock({ autoAdvance: true });
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms, signal) => {
    waits.push(ms);
    return sleep(ms, signal);
  };
  const { outbox } = outboxOf(2);
  const failures = Array.from({ length: 10 }, () => ({ receipts: 0, error: lost }));
  const { uplink } = uplinkOf([...failures, { receipts: 1, error: lost }]);
  await forward({ outbox, uplink, clock, log: silentLogger }, never, never);
  assert.equal(waits.length, 11);
  assert.ok(waits[0]! <= 250 && waits[10]! <= 250, `${waits}`);
  assert.ok(waits[9]! > 5000 && waits[9]! <= 15_000, `${waits}`);
});

test('after stop a broken link ends it, and what was not received stays', async () => {
  const stop = new AbortController();
  const { outbox, held } = outboxOf(3);
  const { uplink, calls } = uplinkOf([{ receipts: 1, error: lost }]);
  stop.abort();
  await forward({ outbox, uplink, clock: new FakeClock(), log: silentLogger }, stop.signal, never);
  assert.equal(calls.length, 1);
  assert.deepEqual([...held], [2, 3]);
});

test('stop cuts the wait for another try short, and what waits gets one last chance', async () => {
  const stop = new AbortController();
  const clock = new FakeClock();
  const { outbox, held } = outboxOf(3);
  const { uplink, calls } = uplinkOf([{ receipts: 0, error: lost }]);
  const forwarding = forward({ outbox, uplink, clock, log: silentLogger }, stop.signal, never);
  await clock.someoneSleeps();
  stop.abort();
  await forwarding;
  assert.deepEqual(calls, [[], [1, 2, 3]]);
  assert.equal(held.size, 0);
});
