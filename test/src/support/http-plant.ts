/** A collector and an agent that takes rows over HTTP, as processes, up and linked. */
import { freePort, getJson, until, type Workbench } from './processes.js';

/** @param more  what their configurations say beside how they find each other */
export async function startHttpPlant(
  bench: Workbench,
  more: { readonly collector?: object; readonly agent?: object },
) {
  const [broker, api, http] = [await freePort(), await freePort(), await freePort()];
  const collector = bench.start([
    'collector',
    '-c',
    bench.config('collector', {
      dataDir: './collector',
      broker: { port: broker },
      api: { port: api },
      ...more.collector,
    }),
  ]);
  const agent = bench.start([
    'agent',
    '-c',
    bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      sources: [{ type: 'http', port: http }],
      ...more.agent,
    }),
  ]);
  const [url, source] = [`http://127.0.0.1:${api}`, `http://127.0.0.1:${http}`];
  await until('the source listens', async () => (await fetch(`${source}/ping`)).ok);
  await until('the collector is ready', () => getJson(`${url}/readyz`).then(() => true));
  // Rows that wait for the link go behind those that are fresh.
  await until('the agent is linked', async () => agent.stderr.includes('"msg":"connected"'));
  const post = async (rows: object) =>
    (await fetch(`${source}/rows`, { method: 'POST', body: JSON.stringify(rows) })).status;
  return { collector, agent, url, post };
}
