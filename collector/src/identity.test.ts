import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identities, type Identity, type Verdict } from './identity.js';

const afterMs = 300_000;

function identity(start: number, bits = 'a', outbox = 'outbox-1'): Identity {
  return { outbox, epoch: `${String(start).padStart(9, '0')}-${bits.repeat(16)}` };
}

function refusal(verdict: Verdict): string {
  return verdict.ok ? 'let in' : verdict.reason;
}

test('the same process comes back; a later start of the same outbox takes over at once', () => {
  const identities = new Identities(afterMs);
  assert.deepEqual(identities.judge('gw-1', identity(1), 0), { ok: true });
  assert.deepEqual(identities.judge('gw-1', identity(1), 1, true), { ok: true });
  assert.deepEqual(identities.judge('gw-1', identity(2, 'b'), 2, true), { ok: true });
  assert.deepEqual(identities.judge('gw-1', identity(10), 3, true), { ok: true }, 'counters are numbers');
  assert.equal(identities.get('gw-1')?.epoch, identity(10).epoch);
});

test('a copy of an outbox is refused, however long the known one is silent', () => {
  const identities = new Identities(afterMs);
  identities.judge('gw-1', identity(5, 'a'), 0);
  for (const connected of [true, false]) {
    assert.match(refusal(identities.judge('gw-1', identity(5, 'b'), 1e9, connected)), /both are start 5/);
    assert.match(
      refusal(identities.judge('gw-1', identity(4), 1e9, connected)),
      /start 4, but start 5 was here/,
    );
  }
  assert.equal(identities.get('gw-1')?.epoch, identity(5).epoch, 'whoever is refused changes nothing');
});

test('another outbox has to wait until the known one is gone and silent; then that one is the stranger', () => {
  const identities = new Identities(afterMs);
  const [first, second] = [identity(7), identity(1, 'c', 'outbox-2')];
  identities.judge('gw-1', first, 0);
  assert.match(
    refusal(identities.judge('gw-1', second, 1e9, true)),
    /outbox-2 .*outbox-1, which is connected/,
  );
  identities.heard('gw-1', 10_000);
  assert.match(refusal(identities.judge('gw-1', second, 10_000 + afterMs - 1)), /wait 1 s/);
  assert.deepEqual(identities.judge('gw-1', second, 10_000 + afterMs), { ok: true, tookOver: 'outbox-1' });
  assert.match(refusal(identities.judge('gw-1', first, 10_001 + afterMs)), /belongs to outbox outbox-2/);
});

test('a simple publisher gets no name of a gateway, and a gateway may take the name of a simple publisher', () => {
  const identities = new Identities(afterMs);
  assert.deepEqual(identities.judge('sensor', undefined, 0), { ok: true });
  assert.deepEqual(identities.judge('sensor', identity(1), 1), { ok: true });
  assert.match(refusal(identities.judge('sensor', undefined, 1e9)), /belongs to outbox outbox-1/);
  identities.forget('sensor');
  assert.deepEqual(identities.judge('sensor', undefined, 1e9), { ok: true });
});

test('a clock that is set back locks no name up for longer than the wait', () => {
  const identities = new Identities(afterMs);
  identities.judge('gw-1', identity(1), 1e12);
  const stranger = identity(1, 'b', 'outbox-2');
  assert.equal(identities.judge('gw-1', stranger, 1000).ok, false);
  assert.equal(identities.judge('gw-1', stranger, 1000 + afterMs).ok, true);
});

test('what is saved is known again, and counts as heard just now', () => {
  const before = new Identities(afterMs);
  before.judge('gw-1', identity(3), 0);
  const saved: unknown = JSON.parse(JSON.stringify(before));
  const after = new Identities(afterMs, saved, 1e9);
  assert.match(refusal(after.judge('gw-1', identity(2), 1e9)), /start 3 was here/);
  assert.equal(after.judge('gw-1', identity(1, 'b', 'outbox-2'), 1e9 + afterMs - 1).ok, false);
  assert.equal(after.judge('gw-1', identity(4), 1e9).ok, true);
  for (const wrong of [{ '../x': identity(1) }, { 'gw-1': { outbox: 'o', epoch: '1' } }, [1], 'x'])
    assert.throws(() => new Identities(afterMs, wrong), JSON.stringify(wrong));
});
