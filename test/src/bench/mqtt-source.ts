/**
 * `node test/dist/bench/mqtt-source.js [--messages N] [--window N] [--collector]`: what the mqtt source takes, one
 * reading a message, every PUBACK behind an fsync: an agent as a real process, its load from another.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort, Workbench } from '../support/processes.js';
import { machine } from './machine.js';
import { MeasuredProcess } from './measured-process.js';
import { figure, table } from './table.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '300000' },
    window: { type: 'string', default: '1000' },
    /** Without one, everything stays in the outbox. */
    collector: { type: 'boolean', default: false },
  },
});

const script = fileURLToPath(new URL('./mqtt-broker.js', import.meta.url));
const subscriptions = {
  number: { topic: 'plant/{line}/{device}/{field}', payload: 'number', deviceType: 'machine' },
  json: { topic: 'plant/{line}/{device}', deviceType: 'machine' },
};

/** A broker that sends so many messages each time it is asked. */
function startBroker(port: number, format: string) {
  const args = [script, `${port}`, values.window, values.messages, format];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** @returns seconds until all were acknowledged */
    send: async (): Promise<number> => {
      child.stdin.write('go\n');
      return Number((await lines.next()).value);
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

async function run(format: keyof typeof subscriptions, joinMs: number): Promise<string[]> {
  await using bench = new Workbench();
  const [port, uplink, api] = [await freePort(), await freePort(), await freePort()];
  const agentConfig = bench.config('agent', {
    gateway: 'bench',
    dataDir: './agent',
    uplink: { url: `mqtt://127.0.0.1:${uplink}` },
    log: { level: 'warn' },
    sources: [
      { type: 'mqtt', url: `mqtt://127.0.0.1:${port}`, joinMs, subscriptions: [subscriptions[format]] },
    ],
  });
  const collectorConfig = bench.config('collector', {
    dataDir: './collector',
    broker: { port: uplink },
    api: { port: api },
  });
  using broker = startBroker(port, format);
  if (values.collector) bench.start(['collector', '-c', collectorConfig]);
  await using agent = new MeasuredProcess({ args: ['agent', '-c', agentConfig] });
  await broker.send(); // compiled by then
  const before = agent.usage;
  const tookS = await broker.send();
  const after = agent.usage;
  const messages = Number(values.messages);
  return [
    `${format}${joinMs > 0 ? ', joined' : ''}`,
    figure(messages / tookS),
    figure(before && after && ((after.cpuS - before.cpuS) * 1e6) / messages),
    figure(after && after.peakRssBytes / 1e6),
  ];
}

const { date, revision, node, cpu, cores, load } = machine();
process.stdout.write(`${date}  revision ${revision}  Node ${node}\n${cpu}, ${cores} cores, load ${load}\n\n`);
const rows = [await run('number', 0), await run('number', 50), await run('json', 0)];
process.stdout.write(`${table([['', 'messages/s', 'CPU-s/million', 'peak MB'], ...rows])}\n`);
