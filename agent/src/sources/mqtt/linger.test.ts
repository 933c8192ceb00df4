import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linger } from './linger.js';

const lingerMs = 100;

/** A burst of n messages that fills the broker's window, waited for until the time is up, then acknowledged. */
function stalled(linger: Linger, n: number, atMs: number): number {
  linger.arrived(n, atMs);
  linger.expired(n, lingerMs, atMs + lingerMs);
  linger.acknowledged(atMs + lingerMs);
  return atMs + lingerMs;
}

test('a window is learned when the next messages come as soon as the last are acknowledged', () => {
  const linger = new Linger();
  assert.ok(!linger.enough(20));
  const atMs = stalled(linger, 20, 0);
  assert.ok(!linger.enough(20), 'once is no proof');
  linger.arrived(1, atMs + 1);
  assert.ok(linger.enough(20));
  assert.ok(!linger.enough(19));
});

test('slow messages are no window', () => {
  const linger = new Linger();
  const atMs = stalled(linger, 3, 0);
  linger.arrived(1, atMs + 40);
  assert.ok(!linger.enough(3));
});

test('messages that come until the end are no window', () => {
  const linger = new Linger();
  linger.arrived(5, 0);
  linger.arrived(6, 90);
  linger.expired(6, lingerMs, 100);
  linger.acknowledged(100);
  linger.arrived(1, 101);
  assert.ok(!linger.enough(6));
});

test('more than the window shows that it was none', () => {
  const linger = new Linger();
  linger.arrived(1, stalled(linger, 20, 0) + 1);
  linger.arrived(21, 200);
  assert.ok(!linger.enough(21));
});
