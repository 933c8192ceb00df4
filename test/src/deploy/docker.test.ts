/** The Dockerfiles, built and run without Docker; see image.ts for how far that goes. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, getJson, until } from '../support/processes.js';
import { Builder, type Image, noChroot } from './image.js';

const skip = noChroot();
const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-containers-'));
let builder: Builder;
let collector: Image;
let agent: Image;

before(
  () => {
    if (skip) return;
    builder = new Builder();
    collector = builder.build('deploy/docker/collector.Dockerfile');
    agent = builder.build('deploy/docker/agent.Dockerfile');
  },
  { timeout: 290_000 },
);
after(() => {
  if (!skip) builder[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A volume and a configuration for one container. */
function mountsFor(name: string, config: object) {
  const volume = path.join(folder, name);
  mkdirSync(volume);
  chownSync(volume, 1000, 1000);
  const file = path.join(folder, `${name}.yaml`);
  writeFileSync(file, JSON.stringify(config));
  return [
    { from: volume, to: '/var/lib/edgeward' },
    { from: file, to: `/etc/edgeward/${name}.yaml` },
  ];
}

async function end(child: ChildProcess): Promise<number | null> {
  const gone = child.exitCode === null ? once(child, 'close') : undefined;
  child.kill('SIGTERM');
  await gone;
  return child.exitCode;
}

test('agent and collector run as they are built: not root, root read-only, stopped by SIGTERM', {
  skip,
  timeout: 120_000,
}, async () => {
  for (const image of [collector, agent]) assert.equal(image.user, '1000:1000');
  const [mqtt, http, metrics] = [await freePort(), await freePort(), await freePort()];
  const dataDir = '/var/lib/edgeward';
  const central = mountsFor('collector', { dataDir, broker: { port: mqtt }, api: { port: http } });
  const edge = mountsFor('agent', {
    gateway: 'boxed',
    dataDir,
    uplink: { url: `mqtt://127.0.0.1:${mqtt}` },
    metrics: { port: metrics },
    models: ['/app/models/bundles/pump'],
    sources: [{ type: 'simulated', devices: [{ name: 'pump-1', type: 'pump' }], intervalMs: 50 }],
  });
  const running = [collector.start(central), agent.start(edge)];
  let said = '';
  for (const child of running)
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (data: Buffer) => {
        said += data.toString('utf8');
      });
  try {
    await until('rows are stored', async () => {
      const url = `http://127.0.0.1:${http}/api/ledger`;
      const { gateways } = await getJson<{ gateways: { id: string; stored: number }[] }>(url);
      return gateways.some(({ id, stored }) => id === 'boxed' && stored > 20);
    }).catch((error: Error) => assert.fail(`${error.message}\n${said}`));
    const health = (port: number, path: string) =>
      once(collector.check(central, { EDGEWARD_HEALTH_URL: `http://127.0.0.1:${port}/${path}` }), 'close');
    assert.deepEqual(await health(http, 'healthz'), [0, null]);
    assert.deepEqual(await health(metrics, 'metrics'), [0, null]);
    assert.deepEqual(await health(await freePort(), 'healthz'), [1, null]);
    assert.equal(await end(running[1]!), 0, said);
    assert.equal(await end(running[0]!), 0, said);
  } finally {
    for (const child of running) child.kill('SIGKILL');
  }
});
