/**
 * The dashboards in deploy/grafana: in step with what generates them, and every query of every panel answered with
 * data by a real InfluxDB and a real Prometheus, which two gateways and a collector have filled.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { freePort, until, Workbench } from '../support/processes.js';
import { noPrometheus, Prometheus } from '../support/prometheus.js';
import { root } from '../support/root.js';
import { noService, startInflux } from '../support/services.js';
import { dashboards } from './dashboards/index.js';
import type { Dashboard, Panel } from './dashboards/types.js';
import { GrafanaQueries } from './grafana.js';
import { fillPlant } from './plant-story.js';

const grafana = path.join(root, 'deploy/grafana');
const skip = noService('influxdb') || noPrometheus('prometheus');
const running: AsyncDisposable[] = [];
let queries: GrafanaQueries;

before(
  async () => {
    if (skip) return;
    const fromMs = Date.now();
    const influx = await startInflux();
    running.push(influx.service);
    const bench = new Workbench();
    running.push(bench);
    const port = await freePort();
    const prometheus = await Prometheus.start({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'collector', static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
    });
    running.push(prometheus);
    await fillPlant(bench, port, influx);
    await until('Prometheus knows both gateways again', async () => {
      const query = 'count(gateway_last_row_timestamp_seconds and gateway_clock_offset_seconds) == 2';
      return (await prometheus.query('query', { query })).length > 0;
    });
    queries = new GrafanaQueries({ influx, prometheus, fromMs, toMs: Date.now(), scrapeMs: 1000 });
  },
  { timeout: 200_000 },
);
after(async () => {
  for (const one of running.reverse()) await one[Symbol.asyncDispose]();
});

test('deploy/grafana/dashboards is what npm run generate would write', () => {
  const script = path.join(root, 'test/dist/deploy/dashboards/generate.js');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const files = readdirSync(path.join(grafana, 'dashboards')).sort();
  assert.deepEqual(
    files,
    Object.keys(dashboards)
      .map(name => `${name}.json`)
      .sort(),
  );
});

test('the types that Grafana publishes take every dashboard, and nothing that Grafana does not know', () => {
  const files = Object.keys(dashboards).map(name => path.join(grafana, 'dashboards', `${name}.json`));
  const texts = files.map(file => readFileSync(file, 'utf8'));
  assert.equal(typeErrors(texts), '');
  const bad = texts.map(text => text.replace('"colorMode": "value"', '"colorMode": "colourful"'));
  assert.match(typeErrors(bad), /dashboard-0\.ts.*"colourful"/s);
  const unknown = texts.map(text => text.replace('"graphTooltip"', '"graphTooltips"'));
  assert.match(typeErrors(unknown), /dashboard-0\.ts.*graphTooltips.* does not exist in type 'Dashboard'/s);
});

/** What the compiler says to these texts where it wants a dashboard. */
function typeErrors(texts: readonly string[]): string {
  // Within the repository, so that Grafana's package is found.
  const folder = mkdtempSync(path.join(root, 'test/dist/deploy/dashboards/check-'));
  try {
    const head = "import type { Dashboard } from '../types.js';\nexport const dashboard: Dashboard = ";
    const files = texts.map((text, i) => {
      const file = path.join(folder, `dashboard-${i}.ts`);
      writeFileSync(file, `${head}${text}`);
      return file;
    });
    const options = [
      '--noEmit',
      '--ignoreConfig',
      '--strict',
      '--skipLibCheck',
      '--exactOptionalPropertyTypes',
    ];
    const words = [...options, '--module', 'nodenext', '--target', 'es2022', ...files];
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [tsc, ...words], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the data sources that dashboards name are provisioned', () => {
  const file = path.join(grafana, 'provisioning/datasources/edgeward.yaml');
  const { datasources } = parse(readFileSync(file, 'utf8')) as {
    datasources: { uid: string; type: string }[];
  };
  const known = new Set(datasources.map(({ uid, type }) => `${type} ${uid}`));
  for (const { datasource } of Object.values(dashboards)
    .flatMap(panelsOf)
    .flatMap(({ targets }) => targets))
    assert.ok(known.has(`${datasource.type} ${datasource.uid}`), datasource.uid);
});

test('every panel says what it is for, and no two are alike', () => {
  for (const dashboard of Object.values(dashboards)) {
    const panels = panelsOf(dashboard);
    for (const { title, description } of panels) assert.ok(description && description.length > 20, title);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  }
});

function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.filter(panel => panel.type !== 'row');
}

const wanted = { gateway: 'pump-station', type: 'pump', device: 'pump-1' };

for (const [name, dashboard] of Object.entries(dashboards)) {
  test(`every query of ${name} returns data`, { skip, timeout: 60_000 }, async context => {
    const single = dashboard.templating.list.some(({ name: own }) => own === 'device');
    const choices = await queries.choose(dashboard, single ? wanted : {});
    const empty: string[] = [];
    for (const panel of panelsOf(dashboard)) {
      for (const target of panel.targets) {
        const { points, series } = await queries.run(panel, target, choices);
        context.diagnostic(`${dashboard.title} | ${panel.title} | ${target.refId} | ${series} | ${points}`);
        if (points === 0) empty.push(`${panel.title} ${target.refId}`);
      }
    }
    for (const { target, name: own } of dashboard.annotations.list) {
      const { points, series } = await queries.run(panelsOf(dashboard)[0]!, target, choices);
      context.diagnostic(`${dashboard.title} | marks: ${own} | ${target.refId} | ${series} | ${points}`);
      if (points === 0) empty.push(own);
    }
    assert.deepEqual(empty, []);
  });
}
