/** One collector and a crowd of gateways. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CollectorProbe, freePorts, scrapes } from './collector-probe.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';
import type { CrowdResult } from './gateway-crowd.js';
import { MeasuredProcess } from './measured-process.js';

const script = fileURLToPath(new URL('./gateway-crowd.js', import.meta.url));
const gateways = 2000;
/** Until rows for plots have the room they get, and hot code is compiled. */
const warmUpS = 40;

export async function gatewaysFigures(
  { bench, full }: DeliveryContext,
  nodeFlags: readonly string[] = [],
): Promise<Figure[]> {
  const ports = await freePorts();
  const config = {
    dataDir: './collector-crowd',
    broker: { port: ports.broker },
    api: { port: ports.api },
    metrics: { maxGateways: gateways },
    log: { level: 'error' },
  };
  const args = ['collector', '-c', bench.config('collector-crowd', config)];
  await using collector = new MeasuredProcess({ args, nodeFlags });
  const probe = new CollectorProbe(ports);
  await probe.ready();
  const emptyBytes = collector.usage?.rssBytes;
  using crowd = startCrowd(ports.broker);
  await crowd.ready;
  await crowd.run(warmUpS);
  const before = collector.usage;
  const { blocks, received, seconds } = await crowd.run(full ? 120 : 20);
  const after = collector.usage;
  const { live, tail } = await probe.bounded();
  await crowd.report();
  const scrape = await probe.scraped(gateways);
  const begun = collector.usage?.cpuS ?? Number.NaN;
  await probe.scraped(gateways);
  const scrapeCpuMs = (((collector.usage?.cpuS ?? Number.NaN) - begun) / (scrapes + 1)) * 1000;
  if (nodeFlags.length > 0) await collector.stop();
  const note = `${blocks} blocks of 80 readings in ${seconds.toFixed(1)} s, ${received} of them received; live page and incidents at work, no sinks`;
  return [
    {
      name: '2,000 gateways, a block a second: % of a core',
      goal: { atMost: 15 },
      measured: before && after && ((after.cpuS - before.cpuS) / seconds) * 100,
      note,
    },
    {
      name: '2,000 gateways: kB a connection',
      goal: { atMost: 60 },
      measured: emptyBytes && after && each(after.rssBytes - emptyBytes - live - tail),
      note: `resident memory after the blocks less that of the empty collector, without what has bounds of its own: ${each(live).toFixed(1)} kB of rows for plots, ${each(tail).toFixed(1)} kB of newest blocks`,
    },
    {
      name: '2,000 gateways: ms a scrape of /metrics',
      goal: { atMost: 50 },
      measured: scrape.medianMs,
      note: `median of ${scrapes} with the answer read, ${scrape.series} series, each gateway with its own and 10 devices in the ledger; the shortest took ${scrape.bestMs.toFixed(0)} ms, and CPU ${scrapeCpuMs.toFixed(0)} ms a scrape`,
    },
  ];
}

/** kB a connection. */
function each(bytes: number): number {
  return bytes / 1000 / gateways;
}

function startCrowd(port: number) {
  const child = spawn(process.execPath, [script, `${port}`, `${gateways}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the crowd ended early');
    return value;
  };
  return {
    ready: next(),
    report: () => {
      child.stdin.write('report\n');
      return next();
    },
    run: async (seconds: number) => {
      child.stdin.write(`${seconds}\n`);
      return JSON.parse(await next()) as CrowdResult;
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}
