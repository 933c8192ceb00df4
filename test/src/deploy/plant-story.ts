/** A minute in the life of a small plant, with all that the dashboards have a panel for. */
import path from 'node:path';
import { type Influx, points } from '../support/influx.js';
import { freePort, getJson, until, type Workbench } from '../support/processes.js';
import { root } from '../support/root.js';

/**
 * Two gateways and a collector that writes to InfluxDB. A valve blocks, which becomes an incident that opens and
 * closes; InfluxDB is killed and comes back; so is an agent; the collector is away for seconds, so that rows come late.
 * @param port  of the collector's API
 */
export async function fillPlant(bench: Workbench, port: number, influx: Influx): Promise<void> {
  const { url, org, bucket, token, service } = influx;
  const mqtt = await freePort();
  const uplink = { url: `mqtt://127.0.0.1:${mqtt}` };
  const config = bench.config('collector', {
    dataDir: './collector',
    broker: { port: mqtt },
    api: { port },
    ingest: { lateAfterMs: 1500 },
    alerts: { closeAfterMs: 2000, reopenWithinMs: 0 },
    sinks: [{ type: 'influxdb', name: 'influxdb', url, org, bucket, token: { env: 'INFLUX_TOKEN' } }],
  });
  const collector = () => bench.start(['collector', '-c', config], { INFLUX_TOKEN: token });
  const agent = (gateway: string, site: string, devices: object[], faults: object[] = []) => {
    const types = [...new Set(devices.map(device => (device as { type: string }).type))];
    const source = {
      type: 'simulated',
      devices,
      faults,
      seed: 1,
      intervalMs: 100,
      stepMs: 2000,
      lingerMs: 200,
    };
    const file = bench.config(gateway, {
      gateway,
      site,
      dataDir: `./${gateway}`,
      uplink,
      reportMs: 500,
      models: types.map(type => path.join(root, 'models/bundles', type)),
      sources: [source],
    });
    return bench.start(['agent', '-c', file]);
  };
  const metric = (what: string, pattern: RegExp) =>
    until(
      what,
      async () => pattern.test(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
      60_000,
    );
  const incidents = (state: string) =>
    until(
      `an incident is ${state}`,
      async () => {
        const all = await getJson<{ state: string }[]>(`http://127.0.0.1:${port}/api/incidents`);
        return all.some(incident => incident.state === state);
      },
      60_000,
    );

  const first = collector();
  // 10 s after its start, for 10 s.
  const blocked = { kind: 'blocked-valve', device: 'pump-1', atS: 200, durationS: 200, severity: 1 };
  const pumps = [
    { name: 'pump-1', type: 'pump' },
    { name: 'pump-2', type: 'pump' },
  ];
  agent('pump-station', 'north', pumps, [blocked]);
  const rooms = [{ name: 'cold-room-1', type: 'cold-room' }];
  const cold = agent('cold-store', 'south', rooms);
  await incidents('open');
  await service.kill();
  await metric('the sink fails', /^collector_sink_write_errors_total\{[^}]+\} [1-9]/m);
  await service.start();
  await metric('the sink works again', /^collector_sink_up\{sink="influxdb"\} 1/m);
  await incidents('closed');
  await cold.end('SIGKILL');
  agent('cold-store', 'south', rooms);
  await first.end('SIGKILL');
  // So long is a block under way at least before it is late.
  await new Promise(resolve => setTimeout(resolve, 2500));
  collector();
  await metric('late rows are stored', /^collector_late_rows_total [1-9]/m);
  await metric('agents are back and report', /^collector_ledger_balanced 1/m);
  await metric('both', /^collector_gateways_online 2/m);
  for (const filter of ['edgeward_incident" and r.state == "closed', 'edgeward_event'])
    await until(`InfluxDB has ${filter}`, async () => {
      return (await points(influx, bucket, `r._measurement == "${filter}"`)).length > 0;
    });
}
