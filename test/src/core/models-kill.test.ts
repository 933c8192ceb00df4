/** A real agent process that is killed while it brings a model in. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { revisionOf } from '@edgeward/models/bundle';
import type { Card } from '@edgeward/models/card';
import { manifestOf } from '@edgeward/shared/models/manifest';
import { ModelYard } from '../support/model-yard.js';
import { Workbench } from '../support/processes.js';
import { root } from '../support/root.js';

const shipped = path.join(root, 'models', 'bundles', 'pump');

/** The shipped one for pumps with another threshold for single rows: so another revision. */
async function otherPump() {
  const names = await readdir(shipped);
  const read = async (name: string) => [name, await readFile(path.join(shipped, name))] as const;
  const files: Record<string, Uint8Array> = Object.fromEntries(await Promise.all(names.map(read)));
  const card = JSON.parse(Buffer.from(files['card.json']!).toString()) as Card;
  card.plainThreshold = Math.min(1, card.plainThreshold + 0.01);
  card.modelSha256 = createHash('sha256').update(files['model.onnx']!).digest('hex');
  const former = card.revision;
  card.revision = revisionOf(card);
  files['card.json'] = Buffer.from(JSON.stringify(card));
  return { files, former, manifest: manifestOf({ type: 'pump', revision: card.revision }, files) };
}

test('kill -9 in the midst of fetching, before the switch and after it: always a whole model, and no step is lost', {
  timeout: 90_000,
}, async () => {
  await using bench = new Workbench();
  await using yard = await ModelYard.open();
  const { files, former, manifest } = await otherPump();
  const order = { order: '1'.repeat(16), type: 'pump', manifest };
  yard.files(files);
  await yard.announce(order);
  const source = {
    type: 'simulated',
    name: 'plant',
    devices: [{ name: 'pump-1', type: 'pump' }],
    intervalMs: 20,
    lingerMs: 0,
  };
  const config = bench.config('agent', {
    gateway: 'gw-1',
    dataDir: './agent',
    models: [shipped],
    engine: 'typescript',
    reportMs: 200,
    uplink: { url: `mqtt://127.0.0.1:${yard.port}` },
    sources: [source],
  });
  const start = (failpoint?: string) =>
    bench.start(['agent', '-c', config], failpoint ? { EDGEWARD_FAILPOINT: `models.${failpoint}` } : {});
  const asked = () => yard.asks.reduce((sum, { bytes }) => sum + bytes, 0);
  const whole = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);

  assert.equal(await start('after-part@4').exited, null, 'killed');
  assert.ok(asked() > 0 && asked() < whole);
  assert.equal(await start('before-switch').exited, null, 'killed');
  const fetched = asked();
  assert.ok(fetched < 1.5 * whole, `${fetched} bytes were asked for of ${whole}`);
  assert.equal(yard.report?.models.pump, former);
  yard.forget();
  assert.equal(await start('after-switch').exited, null, 'killed');
  yard.forget();
  const last = start();
  await yard.until('a report of its own', () => yard.report?.process.pid === last.pid);
  assert.equal(yard.report?.models.pump, manifest.revision, 'what was switched stays so');
  assert.equal((await yard.outcomeOf(order.order)).state, 'active');
  assert.deepEqual(yard.asks, [], 'nothing is fetched again');
  assert.equal(await last.end('SIGTERM'), 0);
  for (const { batch } of yard.blocks) assert.ok(batch.model === former || batch.model === manifest.revision);
});
