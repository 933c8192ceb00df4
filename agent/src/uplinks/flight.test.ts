import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '@edgeward/shared/contracts';
import { testSchema } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { describe } from '@edgeward/shared/wire';
import { Flight } from './flight.js';
import { RoundTrips } from './round-trips.js';
import { Window } from './window.js';

const [old, now] = ['000000001-00000000000000aa', '000000002-00000000000000bb'];

function entry(seq: number, size = 100, epoch = now): Entry {
  return { epoch, seq, lane: 'live', bytes: new Uint8Array(size), described: describe(testSchema) };
}

function receipt(from: number, through = from, epoch = now) {
  return { epoch, from, through, mark: 'journaled' as const };
}

function make(windowBytes = 1000) {
  const [clock, timeout] = [new FakeClock(), new RoundTrips()];
  return { clock, timeout, flight: new Flight(new Window(windowBytes), clock, timeout) };
}

test('a window is in bytes, but a few blocks always fit, however large', () => {
  const { flight } = make(1000);
  for (let seq = 1; seq <= 4; seq++) {
    assert.ok(flight.hasRoom(entry(seq, 5000)));
    flight.add(entry(seq, 5000));
  }
  assert.ok(!flight.hasRoom(entry(5, 1)));
  flight.settle(receipt(1, 4));
  for (let seq = 5; seq <= 14; seq++) {
    assert.ok(flight.hasRoom(entry(seq)));
    flight.add(entry(seq));
  }
  assert.ok(!flight.hasRoom(entry(15)));
  flight.settle(receipt(7));
  assert.ok(flight.hasRoom(entry(15)));
});

test('a receipt ends the waiting of exactly what it names, once', () => {
  const { flight } = make();
  for (const seq of [1, 2, 3]) flight.add(entry(seq));
  flight.add(entry(2, 100, old));
  flight.settle(receipt(2, 1e15));
  assert.equal(flight.size, 2);
  flight.settle(receipt(2, 1e15));
  flight.settle(receipt(9, 9, '000000009-00000000000000aa'));
  assert.equal(flight.size, 2);
  flight.settle(receipt(1));
  flight.settle(receipt(1, 5, old));
  assert.equal(flight.size, 0);
  assert.equal(flight.untilLateMs(), Number.POSITIVE_INFINITY);
});

test('the oldest block decides when a receipt is late, and each miss doubles the patience', async () => {
  const { clock, timeout, flight } = make();
  flight.add(entry(5, 100, old));
  await clock.advance(4000);
  flight.add(entry(1));
  const patience = timeout.timeoutMs;
  assert.equal(flight.untilLateMs(), patience - 4000);
  await clock.advance(patience - 4001);
  flight.check();
  await clock.advance(1);
  assert.throws(() => flight.check(), { code: 'EW_RECEIPT_LATE', retryable: true });
  assert.equal(timeout.timeoutMs, Math.min(RoundTrips.maxTimeoutMs, 2 * patience));
  for (let i = 0; i < 50; i++) timeout.missed();
  assert.equal(timeout.timeoutMs, RoundTrips.maxTimeoutMs);
});

test('while receipts come nothing is late, up to a bound', async () => {
  const { clock, timeout, flight } = make();
  flight.add(entry(1));
  const patience = timeout.timeoutMs;
  for (let seq = 2; seq < 5; seq++) {
    flight.add(entry(seq));
    await clock.advance(patience / 2);
    flight.settle(receipt(seq));
    flight.check();
  }
  assert.ok(flight.untilLateMs() > patience / 2, 'though the first has waited for longer');
  for (let waitedMs = 1.5 * patience; waitedMs < RoundTrips.maxTimeoutMs; waitedMs += 1000) {
    flight.check();
    flight.add(entry(9));
    await clock.advance(1000);
    flight.settle(receipt(9));
  }
  assert.throws(() => flight.check(), { code: 'EW_RECEIPT_LATE' });
});

test('patience follows the measured round trips, within bounds', async () => {
  const { clock, timeout, flight } = make();
  const roundTrips = async (ms: number, times: number) => {
    for (let i = 0; i < times; i++) {
      flight.add(entry(i + 1));
      await clock.advance(ms);
      flight.settle(receipt(i + 1));
    }
  };
  await roundTrips(5, 50);
  assert.equal(timeout.timeoutMs, RoundTrips.minTimeoutMs);
  await roundTrips(5000, 50);
  assert.ok(timeout.timeoutMs > 5000 && timeout.timeoutMs < 8000, `${timeout.timeoutMs}`);
  timeout.missed();
  await roundTrips(5000, 1);
  assert.ok(timeout.timeoutMs < 8000, 'a receipt in time ends the doubling');
});
