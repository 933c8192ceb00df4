/** The demo with the user's own Kafka and InfluxDB: real servers, counted by reading them back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readTopic } from '@edgeward/collector/testing/kafka-reader';
import { countRows, points } from '../support/influx.js';
import { Workbench } from '../support/processes.js';
import { cli } from '../support/root.js';
import { noService, startInflux, startKafka } from '../support/services.js';

interface DemoReport {
  readonly gateways: readonly { readonly id: string; readonly stored: number }[];
  readonly balanced: boolean;
  readonly sinks: readonly Readonly<Record<string, unknown>>[];
}

test('every row of the demo is once in Kafka and once in InfluxDB', {
  skip: noService('kafka') || noService('influxdb'),
  timeout: 180_000,
}, async () => {
  const { service: kafka, bootstrap } = await startKafka();
  await using _kafka = kafka;
  const influx = await startInflux();
  await using _influx = influx.service;
  await using bench = new Workbench();
  const own = [
    '--kafka',
    bootstrap,
    '--influx',
    influx.url,
    '--influx-org',
    influx.org,
    '--influx-bucket',
    'demo',
  ];
  const data = ['--dir', bench.folder, '--port', '0'];
  const env = { EDGEWARD_INFLUX_TOKEN: influx.token };
  const demo = bench.start(['demo', '--duration', '45', '--json', ...data, ...own], env);
  assert.equal(await demo.exited, 0, demo.stderr + demo.stdout);

  const report = JSON.parse(demo.stdout) as DemoReport;
  const stored = report.gateways.reduce((sum, gateway) => sum + gateway.stored, 0);
  assert.ok(report.balanced && stored > 300, demo.stdout);
  const lacks = { lagBlocks: 0, deadLetterRows: 0, lostRows: 0, failure: null };
  const all = ['kafka', 'influxdb'].map(name => ({ name, rowsStored: stored, ...lacks }));
  assert.deepEqual(report.sinks, all);

  const messages = await readTopic(bootstrap, 'sensor.readings');
  const ids = messages.map(({ value }) => {
    const { gateway, epoch, device, row } = JSON.parse(value!) as Record<string, unknown>;
    return `${gateway} ${epoch} ${device} ${row}`;
  });
  assert.equal(new Set(ids).size, ids.length, 'a row is twice in Kafka');
  assert.equal(ids.length, stored);
  assert.equal(await countRows(influx, 'demo', 'r._measurement !~ /^edgeward_/'), stored);
  const pumps = await points(influx, 'demo', 'r._measurement == "pump" and r._field == "flow"');
  assert.deepEqual(new Set(pumps.map(({ device }) => device)), new Set(['pump-1', 'pump-2']));

  const incidents = await readTopic(bootstrap, 'sensor.incidents');
  assert.ok(
    incidents.some(({ key }) => key === 'pump-station/pump-1'),
    'the incident is in Kafka',
  );
  const noted = await points(influx, 'demo', 'r._measurement == "edgeward_incident"');
  assert.ok(
    noted.some(({ device, state }) => device === 'pump-1' && state === 'open'),
    'and in InfluxDB',
  );

  const files = readdirSync(bench.folder).filter(name => /\.(yaml|log)$/.test(name));
  assert.ok(files.includes('collector.yaml'));
  for (const name of files) {
    const text = readFileSync(path.join(bench.folder, name), 'utf8');
    assert.ok(!text.includes(influx.token), `the token stands in ${name}`);
  }
});

const mistakes = [
  [['--kafka', 'localhost'], /--kafka localhost: give HOST:PORT/],
  [['--influx', 'http://127.0.0.1:8086'], /--influx needs a token: set EDGEWARD_INFLUX_TOKEN/],
  [['--influx', 'http://admin:secret@plant:8086'], /--influx is not understood: give a URL/],
  [['--influx-bucket', 'x'], /--influx-bucket needs --influx URL/],
] as const;

for (const [words, told] of mistakes) {
  test(`edgeward demo ${words[0]}: a mistake is told with its remedy`, () => {
    const { status, stderr } = spawnSync(process.execPath, [cli, 'demo', ...words], {
      encoding: 'utf8',
      env: { ...process.env, EDGEWARD_INFLUX_TOKEN: '' },
    });
    assert.equal(status, 2);
    assert.match(stderr, told);
    assert.ok(!stderr.includes('secret'));
  });
}
