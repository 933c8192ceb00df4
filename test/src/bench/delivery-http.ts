/** What is taken over HTTP while the agent is killed three times, and whether all of it is in the sink at the end. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { freePort, until } from '../support/processes.js';
import { CollectorProbe, freePorts } from './collector-probe.js';
import { type DeliveryContext, sleep } from './delivery-context.js';
import type { Figure } from './figures.js';
import { httpAgent, listening } from './http.js';
import { pushOverHttp } from './http-process.js';
import { MeasuredProcess } from './measured-process.js';

const kills = 3;
const note =
  'Telegraf 1.37 with its disk buffer, measured apart: 217 of 20,000 accepted readings lost at a kill -9';

export async function httpFigures(context: DeliveryContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [readings, atLeast] of [
    [1, 6000],
    [10, 60_000],
  ] as const) {
    const taken = await run(context, readings);
    const name = `HTTP, ${readings} a request, three kill -9`;
    figures.push(
      {
        name: `${name}: accepted readings lost or doubled`,
        goal: { atMost: 0 },
        measured: taken.wrong,
        note,
      },
      {
        name: `${name}: readings/s`,
        goal: { atLeast },
        measured: taken.readingsPerS,
        note: 'while it listened; the client shares the machine',
      },
      { name: `${name}: CPU-s a million`, measured: taken.cpuSPerMillion },
    );
  }
  return figures;
}

async function run({ bench, full }: DeliveryContext, readings: number) {
  const [port, ports] = [await freePort(), await freePorts()];
  const name = `http-${readings}`;
  const args = [
    'agent',
    '-c',
    bench.config(name, { ...httpAgent(port, ports.broker), dataDir: `./${name}` }),
  ];
  const seconds = full ? 40 : 12;
  const record = path.join(bench.folder, `${name}.told`);
  await using first = new MeasuredProcess({ args });
  let agent = first;
  await listening(port);
  const load = { port, connections: 64, pipelined: 2, readings, format: 'lines', seconds, record } as const;
  const loading = pushOverHttp(load);
  let cpuS = 0;
  for (let kill = 0; ; kill++) {
    const before = agent.usage?.cpuS ?? Number.NaN;
    await Promise.race([
      sleep(seconds / (kills + 1)),
      kill === kills ? loading : new Promise(() => undefined),
    ]);
    cpuS += (agent.usage?.cpuS ?? Number.NaN) - before;
    if (kill === kills) break;
    await agent[Symbol.asyncDispose]();
    agent = new MeasuredProcess({ args });
    await listening(port);
  }
  await using _last = agent;
  const { stored, upS } = await loading;
  return {
    wrong: await wrong(bench, name, ports, record),
    readingsPerS: (stored * readings) / upS,
    cpuSPerMillion: Number.isNaN(cpuS) ? undefined : (cpuS * 1e6) / (stored * readings),
  };
}

type Bench = DeliveryContext['bench'];

/** Brings all of it to a file sink. @returns readings that are not there, or there twice */
async function wrong(
  bench: Bench,
  name: string,
  ports: Awaited<ReturnType<typeof freePorts>>,
  record: string,
) {
  const directory = path.join(bench.folder, `${name}-sink`);
  const config = {
    dataDir: `./${name}-collector`,
    broker: { port: ports.broker },
    api: { port: ports.api },
    sinks: [{ type: 'file', directory }],
    log: { level: 'error' },
  };
  await using collector = new MeasuredProcess({
    args: ['collector', '-c', bench.config(`${name}-collector`, config)],
  });
  const probe = new CollectorProbe(ports);
  await probe.ready();
  const bytes = readFileSync(record);
  const told = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  const enough = async () => (await probe.underWay()) === 0 && (await probe.progress()).lag === 0;
  await until('the sink has all that was told yes', enough, 120_000).catch(() => false);
  await collector.stop();
  return compare(told, storedValues(directory));
}

function storedValues(directory: string): Map<number, number> {
  const seen = new Map<number, number>();
  for (const file of readdirSync(directory).filter(one => one.endsWith('.ndjson'))) {
    const text = readFileSync(path.join(directory, file), 'utf8');
    for (const [, value] of text.matchAll(/"value":([\d.]+)\}/g)) {
      seen.set(Number(value), (seen.get(Number(value)) ?? 0) + 1);
    }
  }
  return seen;
}

function compare(told: Float64Array, stored: ReadonlyMap<number, number>): number {
  const lost = told.filter(value => !stored.has(value)).length;
  const doubled = [...stored.values()].filter(times => times > 1).length;
  return lost + doubled;
}
