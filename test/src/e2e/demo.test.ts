/** The demo as `npm start -- --duration 45 --json` runs it: real processes, real faults, one JSON object. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, Workbench } from '../support/processes.js';

interface DemoReport {
  readonly gateways: readonly Readonly<Record<string, number | string>>[];
  readonly incidents: number;
  readonly mails: number;
  readonly firstRowMs: number;
  readonly balanced: boolean;
}

const counts = ['stored', 'inFlight', 'rejected', 'thinned', 'dropped', 'damaged'] as const;

test('a fault becomes an incident and a mail within 45 s, and every row is accounted for', {
  timeout: 120_000,
}, async () => {
  await using bench = new Workbench();
  const demo = bench.start(['demo', '--duration', '45', '--json', '--port', '0']);
  assert.equal(await demo.exited, 0, demo.stderr);
  const report = JSON.parse(demo.stdout) as DemoReport;
  assert.deepEqual(Object.keys(report), ['gateways', 'incidents', 'mails', 'firstRowMs', 'balanced']);
  assert.deepEqual(
    report.gateways.map(({ id }) => id),
    ['cold-store', 'office', 'pump-station'],
  );
  for (const gateway of report.gateways) {
    assert.deepEqual(Object.keys(gateway), ['id', 'read', ...counts]);
    const sum = counts.reduce((total, name) => total + Number(gateway[name]), 0);
    assert.equal(gateway.read, sum, `${gateway.id}`);
    assert.ok(sum > 100, `${gateway.id} read ${sum} rows`);
  }
  assert.equal(report.incidents, 1, 'the fault, and no false alarm');
  assert.ok(report.mails >= 1);
  assert.ok(report.firstRowMs > 0);
  assert.equal(report.balanced, true);
});

test('SIGINT ends the demo and all its processes, also in the middle of a cut network', {
  timeout: 60_000,
}, async () => {
  await using bench = new Workbench();
  const demo = bench.start(['demo', '--port', '0', '--dir', bench.folder]);
  const page = await until(
    'the first rows',
    async () => /Live page: (\S+)[\s\S]*First rows/.exec(demo.stdout)?.[1],
  );
  const cut = await fetch(`${page}/api/demo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: page },
    body: JSON.stringify({ action: 'cut', gateway: 'pump-station' }),
  });
  assert.equal(cut.status, 200, await cut.text());
  assert.equal(await demo.end('SIGINT'), 0);
  assert.match(demo.stdout, /the ledger balances/);
  await assert.rejects(fetch(page), 'the collector is gone');
});
