import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentEvent, Delivery } from '@edgeward/shared/contracts';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Gateways, RowRate } from './gateways.js';
import { epochOf } from './journal/testing/blocks.js';
import { parseEvent, parseReport, parseState } from './messages.js';

function state(start: number, link: number, online: boolean) {
  return { online, epoch: epochOf(start), outbox: 'o', link, version: '1', schemas: [] };
}

test('a last will ends its own connection and no later one', () => {
  const gateways = new Gateways(new FakeClock());
  const online = () => gateways.get('gw-1')?.state?.online;
  gateways.state('gw-1', state(1, 1, true));
  gateways.state('gw-1', state(1, 1, false));
  assert.equal(online(), false);
  gateways.state('gw-1', state(1, 2, true));
  gateways.state('gw-1', state(1, 1, false));
  assert.equal(online(), true, 'of an earlier link');
  gateways.state('gw-1', state(2, 1, true));
  gateways.state('gw-1', state(1, 2, false));
  assert.equal(online(), true, 'of an earlier start');
  gateways.state('gw-1', state(2, 1, false));
  assert.equal(online(), false);
});

test('tells listeners, until they no longer listen, and keeps the newest thousand events', () => {
  const gateways = new Gateways(new FakeClock());
  const told: string[] = [];
  const end = gateways.subscribe(change => told.push(change.kind));
  const event = (atMs: number): AgentEvent => ({
    gateway: 'gw-1',
    epoch: epochOf(1),
    atMs,
    kind: 'gap',
    text: '',
    details: {},
  });
  gateways.state('gw-1', state(1, 1, true));
  gateways.event(event(1));
  end();
  for (let atMs = 2; atMs <= 1500; atMs++) gateways.event(event(atMs));
  assert.deepEqual(told, ['gateway', 'event']);
  const events = gateways.events(5000);
  assert.deepEqual([events.length, events[0]?.atMs, events.at(-1)?.atMs], [1000, 1500, 501]);
});

test('knows the devices and the newest row of what was stored, late rows included', () => {
  const gateways = new Gateways(new FakeClock());
  const batches = new TestBatches();
  const [early, late] = [batches.next(2, [1]), batches.next(2, [1])];
  for (const batch of [late, early]) gateways.stored([{ gateway: 'gw-1', batch } as Delivery]);
  const gateway = gateways.get('gw-1');
  assert.deepEqual([...(gateway?.devices ?? [])], ['probe-2']);
  assert.equal(gateway?.lastRowMs, late.time.at(-1));
});

test('the rate is of the last ten full seconds, whatever pauses there were', () => {
  const rate = new RowRate();
  const startMs = 1_790_000_000_000;
  for (let s = 0; s < 30; s++) rate.add(startMs + s * 1000, 50);
  assert.equal(rate.perSecond(startMs + 29_500), 50, 'the running second does not count yet');
  assert.equal(rate.perSecond(startMs + 35_000), 25);
  assert.equal(rate.perSecond(startMs + 3_600_000), 0);
  rate.add(startMs, 1000); // a clock that was set back
  assert.ok(Number.isFinite(rate.perSecond(startMs)));
});

test('messages that do not fit are not understood, nor are those in another name', () => {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const good = state(1, 1, true);
  assert.deepEqual(parseState(json({ ...good, later: 'fields are no harm' })), good);
  const event = { gateway: 'gw-1', epoch: epochOf(1), atMs: 1, kind: 'gap', text: 'x', details: { n: null } };
  assert.deepEqual(parseEvent(json(event), 'gw-1'), event);
  assert.equal(parseEvent(json(event), 'gw-2'), undefined);
  const wrong = [
    {},
    null,
    [],
    'x',
    { ...good, epoch: '../..' },
    { ...good, link: -1 },
    { ...good, online: 'yes' },
  ];
  for (const value of wrong) assert.equal(parseState(json(value)), undefined, JSON.stringify(value));
  for (const bytes of ['', '{', '\xff\xfe']) {
    const raw = Buffer.from(bytes, 'latin1');
    for (const parsed of [parseState(raw), parseEvent(raw, 'gw-1'), parseReport(raw, 'gw-1')])
      assert.equal(parsed, undefined);
  }
});
