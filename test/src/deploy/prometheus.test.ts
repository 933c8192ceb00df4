/** The files of deploy/prometheus, by promtool, and by a real Prometheus that scrapes a real collector and agent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { freePort, until, Workbench } from '../support/processes.js';
import { noPrometheus, Prometheus } from '../support/prometheus.js';
import { root } from '../support/root.js';

const folder = path.join(root, 'deploy/prometheus');
const skip = noPrometheus('promtool') || noPrometheus('prometheus');

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
const ruleFiles = ['recording.rules.yml', 'alerting.rules.yml'] as const;
const rules = ruleFiles.flatMap(name =>
  (parse(read(name)) as { groups: { rules: Rule[] }[] }).groups.flatMap(group => group.rules),
);
const tests = readdirSync(path.join(folder, 'tests'));

function promtool(args: readonly string[], input?: string): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8', input });
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`);
  assert.equal(stderr, '', 'nothing to complain of');
}

test('promtool takes the configuration and the rules', { skip }, () => {
  promtool(['check', 'config', 'prometheus.yml']);
  promtool(['check', 'rules', ...ruleFiles]);
});

for (const name of tests)
  test(`the rules do what ${name} says`, { skip }, () => promtool(['test', 'rules', `tests/${name}`]));

test('every alert says how bad it is, what it is and what to do, and is tested firing and quiet', () => {
  const cases = tests.flatMap(name =>
    (parse(read(`tests/${name}`)) as { tests: { alert_rule_test?: AlertCase[] }[] }).tests.flatMap(
      ({ alert_rule_test: own = [] }) => own,
    ),
  );
  for (const { alert, labels, annotations } of rules.filter(({ alert }) => alert)) {
    assert.match(labels?.severity ?? '', /^(warning|critical)$/, alert);
    assert.deepEqual(Object.keys(annotations ?? {}), ['summary', 'description', 'runbook'], alert);
    const own = cases.filter(({ alertname }) => alertname === alert);
    assert.ok(
      own.some(({ exp_alerts: fires }) => fires.length > 0),
      `${alert} fires in no test`,
    );
    assert.ok(
      own.some(({ exp_alerts: fires }) => fires.length === 0),
      `${alert} is quiet in no test`,
    );
  }
});

interface AlertCase {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

/** They have a value only at times. */
const rare: Readonly<Record<string, string>> = {
  collector_mail_oldest_queued_timestamp_seconds: 'while a mail waits',
  collector_training_next_timestamp_seconds: 'where something is trained by a schedule',
  collector_training_outcome: 'once something was trained',
  gateway_outbox_oldest_block_timestamp_seconds: 'while the outbox holds something',
};

/** A collector with a password and an agent with a token, and what both tell. */
class Plant implements AsyncDisposable {
  readonly #bench = new Workbench();
  readonly api: number;
  readonly agent: number;
  readonly passwordFile: string;
  readonly tokenFile: string;

  private constructor(api: number, agent: number) {
    this.api = api;
    this.agent = agent;
    this.passwordFile = this.#secret('password', 'let-me-in');
    this.tokenFile = this.#secret('token', 'scrape-token');
  }

  static async start(): Promise<Plant> {
    const plant = new Plant(await freePort(), await freePort());
    const mqtt = await freePort();
    const bench = plant.#bench;
    const collector = bench.config('collector', {
      dataDir: './collector',
      broker: { port: mqtt },
      api: { port: plant.api, password: { file: plant.passwordFile } },
      sinks: [{ type: 'file', name: 'file', directory: './sink' }],
      notify: { webhooks: [{ name: 'hook', url: { file: plant.#secret('hook', 'http://127.0.0.1:1/') } }] },
    });
    const agent = bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${mqtt}` },
      reportMs: 200,
      outbox: { durability: 'always' }, // so that it commits all the time
      metrics: { port: plant.agent, token: { file: plant.tokenFile } },
      models: [path.join(root, 'models/bundles/pump')],
      sources: [
        {
          type: 'simulated',
          name: 'plant',
          devices: [{ name: 'pump-1', type: 'pump' }],
          intervalMs: 50,
          lingerMs: 100,
        },
      ],
    });
    bench.start(['collector', '-c', collector]);
    bench.start(['agent', '-c', agent]);
    await until('rows are stored by the sink, and the ledger knows of some', async () => {
      const text = await plant.collectorText();
      return (
        seriesOf(text, 'collector_ledger_stored_rows_total') > 20 &&
        seriesOf(text, 'collector_sink_lag_blocks{sink="file"}') === 0
      );
    });
    return plant;
  }

  collectorText(): Promise<string> {
    const credentials = Buffer.from('anybody:let-me-in').toString('base64');
    return scraped(this.api, `Basic ${credentials}`);
  }

  agentText(): Promise<string> {
    return scraped(this.agent, 'Bearer scrape-token');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bench[Symbol.asyncDispose]();
  }

  #secret(name: string, text: string): string {
    const file = path.join(this.#bench.folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }
}

async function scraped(port: number, authorization: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization } });
  assert.equal(response.status, 200);
  return response.text();
}

/** NaN if it is not there. */
function seriesOf(text: string, series: string): number {
  const line = text.split('\n').find(one => one.startsWith(`${series} `));
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1));
}

let plant: Plant;
before(async () => {
  if (!skip) plant = await Plant.start();
});
after(() => plant?.[Symbol.asyncDispose]());

test('promtool finds nothing wrong with what they tell', { skip }, async () => {
  promtool(['check', 'metrics'], await plant.collectorText());
  promtool(['check', 'metrics'], await plant.agentText());
});

test('there are as few series as the README says', { skip }, async () => {
  const series = (await plant.collectorText()).split('\n').filter(line => /^[a-z]/.test(line));
  const having = (label: string) => series.filter(line => line.includes(label)).length;
  const [sink, sinks, gateway] = ['sink="file"', 'sink="', 'gateway="'].map(having) as [
    number,
    number,
    number,
  ];
  assert.ok(sink > 20 && sink <= 40, `${sink} of a sink`);
  assert.ok(gateway > 8 && gateway <= 13, `${gateway} of a gateway`);
  assert.ok(series.length - sinks - gateway < 200, `${series.length - sinks - gateway} others`);
  const labels = new Set(series.flatMap(line => [...line.matchAll(/(\w+)="/g)].map(([, label]) => label)));
  assert.ok(!labels.has('device') && labels.has('gateway'), [...labels].join());
});

test('whatever a rule asks for is told', { skip }, async () => {
  const text = (await plant.collectorText()) + (await plant.agentText());
  const told = new Set([...text.matchAll(/^([a-z_0-9]+)[{ ]/gm)].map(([, name]) => name!));
  const declared = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));
  const asked = new Set(
    rules.flatMap(
      ({ expr }) => expr.match(/(?<![\w:])(collector|gateway|agent|nodejs|process)_\w+(?!:)\b/g) ?? [],
    ),
  );
  assert.ok(asked.size > 30, `${asked.size} names are found`);
  for (const name of asked) assert.ok(rare[name] ? declared.has(name) : told.has(name), name);
});

test('Prometheus scrapes both with their secrets, and records what the rules say', { skip }, async () => {
  const shipped = parse(read('prometheus.yml')) as { scrape_configs: { job_name: string }[] };
  const jobs: Readonly<Record<string, object>> = {
    collector: {
      static_configs: [{ targets: [`127.0.0.1:${plant.api}`] }],
      basic_auth: { username: 'prometheus', password_file: plant.passwordFile },
    },
    agent: {
      static_configs: [{ targets: [`127.0.0.1:${plant.agent}`] }],
      authorization: { credentials_file: plant.tokenFile },
    },
  };
  await using prometheus = await Prometheus.start({
    ...shipped,
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ruleFiles.map(name => path.join(folder, name)),
    scrape_configs: shipped.scrape_configs.map(job => ({ ...job, ...jobs[job.job_name] })),
  });
  const ask = (query: string) => prometheus.query('query', { query });
  await until('both are up', async () => {
    const up = await ask('up == 1');
    return (
      up.length === 2 &&
      up
        .map(({ metric }) => metric.job)
        .sort()
        .join() === 'agent,collector'
    );
  });
  const unseen = new Set(rules.flatMap(({ record }) => record ?? []));
  await until(
    'all is recorded',
    async () => {
      for (const name of unseen)
        if ((await ask(name)).some(({ value }) => Number.isFinite(Number(value?.[1])))) unseen.delete(name);
      const left = [...unseen].filter(name => name !== 'instance_gateway:gateway_outbox_age:seconds');
      if (left.length > 0) throw new Error(`not yet: ${left.join(', ')}`);
      return true;
    },
    60_000,
  );
  // 20 rows a second, which rates come near to as they see more of it.
  await until('rows a second', async () => {
    const [rows] = await ask('instance:collector_rows_stored:rate5m');
    return Number(rows?.value?.[1]) > 1;
  });
  assert.deepEqual(await ask('ALERTS{alertstate="firing"}'), [], 'nothing is wrong here');
});
