import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '@edgeward/shared/metrics/metrics';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { Gateways } from './gateways.js';
import { Accounts } from './journal/accounts.js';
import { Received, ReceivedEpoch } from './journal/received.js';
import { epochOf } from './journal/testing/blocks.js';
import { addFleetMetrics } from './metrics/fleet-metrics.js';
import { addLedgerMetrics } from './metrics/ledger-metrics.js';
import { describeMetrics } from './metrics.js';
import type { GatewayReport } from './report.js';

function reportOf(gateway: string, outboxBytes: number, more: Partial<GatewayReport> = {}): GatewayReport {
  return {
    gateway,
    epoch: epochOf(1),
    atMs: 1000,
    version: '1.2.3',
    devices: [],
    condensedThrough: 0,
    outbox: {
      id: `outbox of ${gateway}`,
      blocks: 1,
      bytes: outboxBytes,
      maxBytes: 1000,
      oldestMs: outboxBytes,
      durability: 'deferred',
    },
    process: { pid: 1, rssBytes: 100, cpuSeconds: 1 },
    models: {},
    ...more,
  };
}

function state(online: boolean, version = '1.2.3') {
  return { online, epoch: epochOf(1), outbox: 'o', link: 1, version, schemas: [] };
}

function fleetMetrics(gateways: Gateways, maxGateways: number): Metrics {
  const metrics = new Metrics();
  addFleetMetrics(metrics, () => ({ gateways, maxGateways }));
  return metrics;
}

/** Values of a metric by their labels as they stand there. */
function series(text: string, name: string): Record<string, number> {
  const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\S+)$`, 'gm'))];
  return Object.fromEntries(lines.map(([, labels = '', value]) => [labels, Number(value)]));
}

test('gateways beyond the limit are told together; who has series of its own keeps them', async () => {
  const clock = new FakeClock({ nowMs: 5000 });
  const gateways = new Gateways(clock);
  for (const name of ['b', 'c']) gateways.report(reportOf(name, 10));
  const metrics = fleetMetrics(gateways, 2);
  assert.deepEqual(Object.keys(series(await metrics.text(), 'gateway_outbox_bytes')), [
    'gateway="b"',
    'gateway="c"',
  ]);
  gateways.report(reportOf('a', 300, { atMs: 9000 }));
  gateways.report(reportOf('d', 400, { atMs: 4999 }));
  gateways.state('a', state(true));
  gateways.state('b', state(true));
  const text = await metrics.text();
  assert.deepEqual(series(text, 'gateway_outbox_bytes'), {
    'gateway="b"': 10,
    'gateway="c"': 10,
    'gateway="_others"': 700,
  });
  assert.deepEqual(series(text, 'gateway_up'), {
    'gateway="b"': 1,
    'gateway="c"': 0,
    'gateway="_others"': 1,
  });
  const of = (name: string) => series(text, name)['gateway="_others"'];
  assert.equal(of('gateway_outbox_oldest_block_timestamp_seconds'), 0.3, 'the oldest');
  assert.equal(of('gateway_clock_offset_seconds'), 4, 'the one that is furthest off');
  assert.equal(of('gateway_cpu_seconds_total'), undefined, 'sums of what begins anew would fall');
  assert.deepEqual(
    ['', '_online', '_summed'].map(end => series(text, `collector_gateways${end}`)['']),
    [4, 2, 2],
  );
});

test('what a gateway calls its version is told only if it looks like one', async () => {
  const gateways = new Gateways(new FakeClock());
  gateways.state('a', state(true, '1.0.0-rc.1'));
  gateways.state('b', state(true, 'x"} 1\nevil 2'));
  assert.deepEqual(series(await fleetMetrics(gateways, 10).text(), 'gateway_info'), {
    'gateway="a",site="",version="1.0.0-rc.1"': 1,
    'gateway="b",site="",version="other"': 1,
  });
});

test('names have prefixes, units at their end, and no label that anybody may choose freely', () => {
  const known = ['code', 'gateway', 'hop', 'kind', 'mark', 'reason', 'severity', 'sink', 'site', 'state'];
  known.push('group', 'topic', 'partition'); // of groups in the configuration
  known.push('notifier'); // named in the configuration
  known.push('type', 'outcome'); // of trainings that somebody asked for, at most 64
  for (const { name, labels, help } of describeMetrics()) {
    assert.match(name, /^(collector|gateway|process|nodejs)_/);
    assert.doesNotMatch(name, /milli|micro|_ms|_kb|_mb/, name);
    assert.ok(help.length > 4, name);
    for (const label of labels) assert.ok([...known, 'version'].includes(label), `${name}{${label}}`);
  }
});

test('a scrape of 2,000 gateways with 20,000 devices takes a moment', async t => {
  const gateways = new Gateways(new FakeClock());
  const received = new Received();
  const accounts = new Accounts();
  for (let n = 0; n < 2000; n++) {
    const gateway = `gateway-${n}`;
    const epoch = new ReceivedEpoch('o');
    const devices = Array.from({ length: 10 }, (_, d) => {
      epoch.addRows(`device-${d}`, { first: 1, last: 1000, count: 1000 });
      const rows = [{ epoch: epochOf(1), ranges: [[1, 1000]] as [number, number][] }];
      const none = { rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] };
      return { device: `device-${d}`, read: 1000, ...none, rows };
    });
    received.set(gateway, epochOf(1), epoch);
    const report = reportOf(gateway, n, { devices });
    accounts.open(gateway, 'o').report = report;
    gateways.report(report);
    gateways.state(gateway, state(true));
  }
  const metrics = fleetMetrics(gateways, 2000);
  addLedgerMetrics(metrics, () => ({ journal: { received, accounts } }));
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const begunMs = performance.now();
    const text = await metrics.text();
    times.push(performance.now() - begunMs);
    assert.deepEqual(series(text, 'collector_ledger_read_rows_total'), { '': 20_000_000 });
    assert.equal(series(text, 'collector_ledger_balanced')[''], 1);
    assert.equal(Object.keys(series(text, 'gateway_up')).length, 2000);
  }
  const best = Math.min(...times);
  t.diagnostic(`best ${best.toFixed(0)} ms of ${times.map(time => time.toFixed(0)).join(', ')}`);
  // The bound is for machines that do much else beside this; `npm run bench -- delivery` has the figure.
  assert.ok(best < 250, `${best} ms`);
});
