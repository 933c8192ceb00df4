import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { BatchBuilder, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import { Gate } from '@edgeward/shared/gate';
import { Quality } from '@edgeward/shared/quality';
import { pino } from 'pino';
import { agentConfig } from '../config.js';
import { runAgent } from '../main.js';
import { describeMetrics } from './agent-metrics.js';
import { SourceCounts } from './source-counts.js';

const limit = { timeout: 30_000 };
const folders: string[] = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-agent-metrics-'));
  folders.push(made);
  return made;
}

/** Runs an agent whose collector is away; `work` gets the port of its metrics, undefined if it has none. */
async function whileRunning(
  metrics: object,
  work: (port: number | undefined) => Promise<void>,
  more: object = {},
): Promise<void> {
  const config = agentConfig.parse({
    gateway: 'gateway-1',
    site: 'north',
    dataDir: await folder(),
    uplink: { url: 'mqtt://127.0.0.1:1' }, // nobody listens there
    metrics,
    ...more,
    sources: [
      {
        type: 'simulated',
        name: 'plant',
        devices: [{ name: 'pump-1', type: 'pump' }],
        intervalMs: 20,
        lingerMs: 0,
      },
    ],
  });
  const [stop, changed] = [new AbortController(), new Gate()];
  const lines: { msg: string; port?: number }[] = [];
  const write = (line: string) => {
    lines.push(JSON.parse(line));
    changed.open();
  };
  const running = runAgent({ config, log: pino({}, { write }) }, stop.signal, stop.signal);
  running.catch(() => changed.open());
  try {
    while (!lines.some(({ msg }) => msg === 'started')) await Promise.race([changed.wait(), running]);
    await work(lines.find(({ msg }) => msg === 'metrics')?.port);
  } finally {
    stop.abort();
    await running;
  }
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function ask(port: number, { path: of = '/metrics', method = 'GET', headers = {} }: Asked = {}) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: of, method, headers, agent: false };
    const asked = request(options, response => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    asked.on('error', reject).end();
  });
}

async function rowsOf(port: number): Promise<number> {
  const { text } = await ask(port);
  return Number(/^agent_source_rows_total\{source="plant"\} (\d+)$/m.exec(text)?.[1]);
}

test('without a port nothing listens', limit, async () => {
  const before = process.getActiveResourcesInfo().filter(name => name === 'TCPSERVERWRAP').length;
  await whileRunning({}, async port => {
    assert.equal(port, undefined);
    assert.equal(process.getActiveResourcesInfo().filter(name => name === 'TCPSERVERWRAP').length, before);
  });
});

test('tells what it reads, holds and cannot send, to programs of this machine', limit, async () => {
  await whileRunning({ port: 0 }, async port => {
    assert.ok(port);
    while ((await rowsOf(port)) < 5) await new Promise(resolve => setTimeout(resolve, 20));
    const { status, headers, text } = await ask(port);
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(text, /^agent_info\{gateway="gateway-1",site="north",version="[^"]+"\} 1$/m);
    assert.match(text, /^agent_source_state\{source="plant",state="reading"\} 1$/m);
    assert.match(text, /^agent_uplink_up 0$/m);
    assert.match(text, /^agent_uplink_failures_total\{code="EW_LINK_LOST"\} [1-9]/m);
    assert.match(text, /^agent_outbox_blocks [1-9]/m);
    assert.match(text, /^agent_outbox_oldest_block_timestamp_seconds \d/m);
    for (const { name } of describeMetrics()) assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'));
    assert.doesNotMatch(text, /pump-1/, 'no device is a label');
    assert.equal((await ask(port, { path: '/' })).status, 404);
    assert.equal((await ask(port, { path: '/metrics?x=1' })).status, 200);
    const posted = await ask(port, { method: 'POST' });
    assert.deepEqual([posted.status, posted.headers.allow], [405, 'GET']);
    // What a page makes its browser do on this machine.
    assert.equal((await ask(port, { headers: { origin: 'http://evil.example' } })).status, 403);
    assert.equal((await ask(port, { headers: { host: 'evil.example' } })).status, 403);
  });
});

test('with a token, whoever does not have it learns nothing', limit, async () => {
  const file = path.join(await folder(), 'token');
  await writeFile(file, 'right-token\n', { mode: 0o600 });
  await whileRunning({ port: 0, token: { file } }, async port => {
    assert.ok(port);
    const bearing = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    assert.equal((await ask(port, bearing('right-token'))).status, 200);
    for (const asked of [{}, bearing('wrong-token'), bearing('right-toke'), { path: '/nothing' }]) {
      const { status, headers, text } = await ask(port, asked);
      assert.equal(status, 401);
      assert.equal(headers['www-authenticate'], 'Bearer');
      assert.doesNotMatch(text, /agent_|right/);
    }
  });
});

test('a port that is taken costs the metrics and nothing else', limit, async () => {
  await whileRunning({ port: 0 }, async port => {
    await whileRunning({ port }, async second => assert.equal(second, undefined));
    assert.equal((await ask(port!)).status, 200);
  });
});

test('a secret that is missing costs metrics or traces, and nothing else', limit, async () => {
  const missing = { env: 'EDGEWARD_TEST_NOT_SET' };
  await whileRunning({ port: 0, token: missing }, async port => assert.equal(port, undefined));
  const trace = { endpoint: 'http://127.0.0.1:1', headers: { authorization: missing } };
  await whileRunning({ port: 0 }, async port => assert.ok((await rowsOf(port!)) >= 0), { trace });
});

test('a host that others can reach needs a token', () => {
  const config = (metrics: object) => ({
    gateway: 'a',
    metrics,
    sources: [{ type: 'simulated', devices: [{ name: 'p', type: 'pump' }] }],
  });
  const refused = agentConfig.safeParse(config({ host: '0.0.0.0', port: 9187 }));
  assert.deepEqual(refused.error?.issues[0]?.path, ['metrics', 'host']);
  assert.match(refused.error.issues[0].message, /Remedy: give metrics.token/);
  assert.ok(agentConfig.safeParse(config({ host: '0.0.0.0' })).success, 'it is off');
  const token = { env: 'TOKEN' };
  assert.ok(agentConfig.safeParse(config({ host: '0.0.0.0', port: 9187, token })).success);
});

test('rows are counted by each of their marks, and alarms by themselves', () => {
  const schema = { type: 't', fields: [{ name: 'x', kind: 'float' as const }], devices: ['a'] };
  const builder = new BatchBuilder(
    schema,
    { maxRows: 10, maxAgeMs: 1000 },
    { clock: systemClock, rows: new RowNumbers() },
  );
  for (let i = 0; i < 4; i++) builder.push(0, i, [i]);
  const batch = builder.take();
  batch.quality[1] = Quality.missing | Quality.stuck;
  batch.quality[2] = Quality.stuck;
  const counts = new SourceCounts();
  counts.batch({ ...batch, anomaly: Uint8Array.of(0, 1, 0, 1) });
  counts.state('waiting');
  counts.state('reading');
  counts.state('failed');
  const { blocks, rows, readings, anomalies, failures, now } = counts;
  assert.deepEqual([blocks, rows, readings, anomalies, failures, now], [1, 4, 4, 2, 2, 'failed']);
  const { missing, stuck, invalid } = Object.fromEntries(counts.marked());
  assert.deepEqual([missing, stuck, invalid], [1, 2, 0]);
});
