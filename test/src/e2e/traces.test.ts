/**
 * One block's way from a sensor to a mail, as a real Jaeger shows it: through an agent that is killed with the block on
 * its disk, and a collector that is killed with the mail in its queue.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printTree, type TraceNode, type TraceTree, tracesOf, walk } from '../support/jaeger.js';
import { MailServer } from '../support/mail-server.js';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';
import { noService, startJaeger } from '../support/services.js';

interface Ports {
  readonly broker: number;
  readonly api: number;
  readonly http: number;
  readonly smtp: number;
}

async function freePorts(): Promise<Ports> {
  return {
    broker: await freePort(),
    api: await freePort(),
    http: await freePort(),
    smtp: await freePort(),
  };
}

function configure(bench: Workbench, otlp: string, { broker, api, http, smtp }: Ports) {
  const trace = { endpoint: otlp };
  const collector = bench.config('collector', {
    dataDir: './collector',
    broker: { port: broker },
    api: { port: api },
    sinks: [{ type: 'file', directory: './readings' }],
    mail: {
      smtp: { host: '127.0.0.1', port: smtp, secure: 'none' },
      from: 'edgeward@plant.example',
      to: ['shift@plant.example'],
    },
    trace,
  });
  const agent = bench.config('agent', {
    gateway: 'gateway-1',
    dataDir: './agent',
    uplink: { url: `mqtt://127.0.0.1:${broker}` },
    rules: [{ name: 'too-hot', when: 'temperature > 40' }],
    trace: { ...trace, sampleRatio: 0 }, // what is anomalous is traced all the same
    sources: [{ type: 'http', port: http }],
  });
  return { collector, agent };
}

async function push(port: number, temperature: number, rows: number): Promise<void> {
  const body = Array.from({ length: rows }, () => ({
    device: 'oven-1',
    type: 'oven',
    values: { temperature },
  }));
  const { status } = await fetch(`http://127.0.0.1:${port}/rows`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  assert.equal(status, 204);
}

const listens = (port: number) =>
  until('the source listens', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok);

/** The one trace there is, once it has these spans. */
function traceWith(query: string, service: string, names: readonly string[]): Promise<TraceTree> {
  return until(
    `a trace with ${names.join(', ')}`,
    async () => {
      const traces = await tracesOf(query, service);
      assert.ok(traces.length <= 1, 'only one block was anomalous');
      const [trace] = traces;
      const found = [...walk(trace?.roots ?? [])].map(({ name }) => name);
      return names.every(name => found.includes(name)) ? trace : undefined;
    },
    60_000,
  );
}

/** Names alone, as nested objects. */
type Shape = { readonly [name: string]: Shape };
const shapeOf = (nodes: readonly TraceNode[]): Shape =>
  Object.fromEntries(nodes.map(({ name, children }) => [name, shapeOf(children)]));

/** The stores of a process that does not run, with traced blocks in them. */
async function assertSound(bench: Workbench, config: string): Promise<void> {
  const fsck = bench.start(['fsck', '-c', config]);
  assert.equal(await fsck.exited, 0, fsck.stdout + fsck.stderr);
}

/** Parsed lines of its log. */
function linesOf({ stderr }: EdgewardProcess): Record<string, unknown>[] {
  return stderr.split('\n').flatMap(line => (line.startsWith('{') ? [JSON.parse(line)] : []));
}

test('one trace tells all hops of a block, from read to mail, across two kills', {
  timeout: 180_000,
  skip: noService('jaeger'),
}, async () => {
  const jaeger = await startJaeger();
  await using _ = jaeger.service;
  await using bench = new Workbench();
  const ports = await freePorts();
  const { collector, agent } = configure(bench, jaeger.otlp, ports);

  // Nobody collects: what is pushed is on the agent's disk when it is killed.
  const first = bench.start(['agent', '-c', agent]);
  await listens(ports.http);
  await push(ports.http, 20, 3);
  await push(ports.http, 95, 3);
  await traceWith(jaeger.query, 'edgeward-agent', ['read', 'check', 'score', 'outbox']);
  await first.end('SIGKILL');
  await assertSound(bench, agent);

  // Nobody takes mails: the one about it is in the collector's queue when that is killed.
  const collecting = bench.start(['collector', '-c', collector]);
  const second = bench.start(['agent', '-c', agent]);
  await traceWith(jaeger.query, 'edgeward-collector', ['publish', 'ingest', 'sink file', 'incident']);
  const delayed = await until('a line about the mail', async () =>
    linesOf(collecting).find(({ msg }) => msg === 'mails are delayed'),
  );
  await collecting.end('SIGKILL');
  await using mails = await MailServer.listen(ports.smtp);
  const again = bench.start(['collector', '-c', collector]);

  const trace = await traceWith(jaeger.query, 'edgeward-collector', ['mail']);
  console.log(printTree(trace));
  assert.deepEqual(shapeOf(trace.roots), {
    read: {
      check: {},
      score: {},
      outbox: { publish: { ingest: { incident: { mail: {} }, 'sink file': {} } } },
    },
  });
  const spans = [...walk(trace.roots)];
  const named = (name: string) => spans.find(span => span.name === name) ?? assert.fail(`no ${name}`);
  assert.deepEqual(
    ['read', 'outbox', 'publish', 'ingest', 'incident', 'mail'].map(name => named(name).pid),
    [first, first, second, collecting, collecting, again].map(({ pid }) => pid),
  );
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
  assert.deepEqual(
    spans.filter(({ error }) => error),
    [],
  );
  assert.equal(named('read').tags['edgeward.source'], 'http');
  assert.equal(named('read').tags['edgeward.device_type'], 'oven');
  assert.equal(named('read').tags['edgeward.sampled_by'], 'anomaly');
  assert.equal(named('outbox').tags['edgeward.safe'], 'disk');
  assert.equal(named('publish').tags['edgeward.lane'], 'backlog');
  assert.equal(named('sink file').tags['edgeward.rows'], 3);
  assert.equal(named('incident').tags['edgeward.change'], 'opened');
  assert.equal(named('mail').tags['edgeward.mail.state'], 'sent');
  assert.equal(mails.subjects.length, 1);

  // The log leads to the trace.
  assert.equal(delayed.trace_id, trace.traceId);
  assert.equal(delayed.span_id, named('incident').spanId);
  const others = linesOf(collecting).filter(({ msg }) => msg === 'started');
  assert.deepEqual(
    others.map(({ trace_id }) => trace_id),
    [undefined],
  );

  const ledger = await getJson<{ balanced: boolean }>(`http://127.0.0.1:${ports.api}/api/ledger`);
  assert.equal(ledger.balanced, true);
  assert.equal(await second.end('SIGTERM'), 0);
  assert.equal(await again.end('SIGTERM'), 0);
  await assertSound(bench, collector);
});
