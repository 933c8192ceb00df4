import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoundTrips } from './round-trips.js';
import { Window } from './window.js';

/** A way of a fixed rate and length, always kept as full as the window allows: what it settles at. */
function onLink({ bytesPerMs, wayMs }: { bytesPerMs: number; wayMs: number }, maxBytes = 1e6) {
  const [window, trips] = [new Window(maxBytes), new RoundTrips()];
  for (let i = 0; i < 2000; i++) {
    const roundTripMs = wayMs + window.bytes / bytesPerMs;
    trips.measured(roundTripMs);
    window.settled(4000, roundTripMs - trips.shortestMs, true);
  }
  return { window, waitMs: window.bytes / bytesPerMs };
}

test('a fast link gets all that is allowed', () => {
  assert.equal(onLink({ bytesPerMs: 20_000, wayMs: 5 }).window.bytes, 1e6);
});

test('on a slow link fresh data waits behind little, however much may be under way', () => {
  for (const bytesPerMs of [20, 100, 1000]) {
    const { waitMs } = onLink({ bytesPerMs, wayMs: 300 });
    assert.ok(waitMs < 2000, `${bytesPerMs} kB/s: ${waitMs} ms`);
  }
});

test('a window that does not limit does not grow; a receipt that did not come halves it, to a bound', () => {
  const window = new Window(1e6);
  const first = window.bytes;
  for (let i = 0; i < 1000; i++) window.settled(4000, 0, false);
  assert.equal(window.bytes, first);
  window.settled(first, 0, true);
  assert.equal(window.bytes, 2 * first);
  window.missed();
  assert.equal(window.bytes, first);
  for (let i = 0; i < 50; i++) window.missed();
  assert.ok(window.bytes >= 1024);
  assert.equal(new Window(1000).bytes, 1000);
});

test('a new link begins with little, whatever the one before could take', () => {
  const window = new Window(1e6);
  const first = window.bytes;
  for (let i = 0; i < 1000; i++) window.settled(4000, 0, true);
  assert.equal(window.bytes, 1e6);
  window.begin();
  assert.equal(window.bytes, first);
});

test('the 99th percentile and the shortest are of the last round trips', () => {
  const trips = new RoundTrips();
  assert.equal(trips.p99Ms, undefined);
  for (let i = 0; i < 500; i++) trips.measured(1000);
  for (let i = 1; i <= 200; i++) trips.measured(i);
  assert.equal(trips.shortestMs, 1);
  assert.ok(trips.p99Ms! >= 190 && trips.p99Ms! <= 200, `${trips.p99Ms}`);
});
