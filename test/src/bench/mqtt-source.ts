/** What the mqtt source takes, one reading a message, every PUBACK behind an fsync: an agent, and its load beside it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort, Workbench } from '../support/processes.js';
import { type Machine, machine } from './machine.js';
import { MeasuredProcess } from './measured-process.js';
import { machineText } from './print.js';
import { figure, table } from './table.js';

export interface MqttOptions {
  /** Of each run; the warm-up before it has as many. */
  readonly messages: number;
  /** Messages under way without an acknowledgement. */
  readonly window: number;
  /** Without a collector, everything stays in the outbox. */
  readonly collector: boolean;
  readonly onProgress: (text: string) => void;
}

export type MqttFormat = 'number' | 'json';

export interface MqttRow {
  readonly name: string;
  readonly messagesPerS: number;
  readonly cpuSPerMillion: number | undefined;
  readonly peakMb: number | undefined;
}

export interface MqttResult {
  readonly benchmark: 'mqtt';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly rows: readonly MqttRow[];
}

const script = fileURLToPath(new URL('./mqtt-broker.js', import.meta.url));
const subscriptions: Readonly<Record<MqttFormat, object>> = {
  number: { topic: 'plant/{line}/{device}/{field}', payload: 'number', deviceType: 'machine' },
  json: { topic: 'plant/{line}/{device}', deviceType: 'machine' },
};
const variants = [
  ['number', 0],
  ['number', 50],
  ['json', 0],
] as const;

export async function benchMqtt(options: MqttOptions): Promise<MqttResult> {
  const before = machine();
  const rows: MqttRow[] = [];
  for (const [format, joinMs] of variants) {
    options.onProgress(`${format}, joined over ${joinMs} ms`);
    rows.push(await runMqtt(options, format, joinMs));
  }
  return { benchmark: 'mqtt', machine: before, loadAfter: machine().load, rows };
}

export async function runMqtt(options: MqttOptions, format: MqttFormat, joinMs: number): Promise<MqttRow> {
  await using bench = new Workbench();
  const [port, uplink, api] = [await freePort(), await freePort(), await freePort()];
  const agentConfig = bench.config('agent', {
    gateway: 'bench',
    dataDir: './agent',
    uplink: { url: `mqtt://127.0.0.1:${uplink}` },
    log: { level: 'error' },
    sources: [
      { type: 'mqtt', url: `mqtt://127.0.0.1:${port}`, joinMs, subscriptions: [subscriptions[format]] },
    ],
  });
  const collectorConfig = bench.config('collector', {
    dataDir: './collector',
    broker: { port: uplink },
    api: { port: api },
  });
  using broker = startBroker(port, format, options);
  if (options.collector) bench.start(['collector', '-c', collectorConfig]);
  await using agent = new MeasuredProcess({ args: ['agent', '-c', agentConfig] });
  await broker.send(); // compiled by then
  const before = agent.usage;
  const tookS = await broker.send();
  const after = agent.usage;
  return {
    name: `${format}${joinMs > 0 ? ', joined' : ''}`,
    messagesPerS: options.messages / tookS,
    cpuSPerMillion: before && after && ((after.cpuS - before.cpuS) * 1e6) / options.messages,
    peakMb: after && after.peakRssBytes / 1e6,
  };
}

/** A broker that sends so many messages each time it is asked. */
function startBroker(port: number, format: MqttFormat, { window, messages }: MqttOptions) {
  const args = [script, `${port}`, `${window}`, `${messages}`, format];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** @returns seconds until all were acknowledged */
    send: async (): Promise<number> => {
      child.stdin.write('go\n');
      const { value, done } = await lines.next();
      if (done) throw new Error('the broker of the bench ended early');
      return Number(value);
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

export function mqttText(result: MqttResult): string {
  const rows = result.rows.map(({ name, messagesPerS, cpuSPerMillion, peakMb }) => [
    name,
    figure(messagesPerS),
    figure(cpuSPerMillion),
    figure(peakMb),
  ]);
  const head = ['', 'messages/s', 'CPU-s/million', 'peak MB'];
  return [machineText(result.machine, result.loadAfter), table([head, ...rows])].join('\n\n');
}
