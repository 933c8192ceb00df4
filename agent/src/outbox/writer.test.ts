import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { openOutbox } from './open-outbox.js';
import { Rejects } from './rejects.js';
import { folder, removeFolders } from './testing/outboxes.js';
import { Writer } from './writer.js';

after(removeFolders);

test('what comes while the writer ends is written or refused, at whatever moment', {
  timeout: 30_000,
}, async () => {
  const { core } = await openOutbox({
    directory: path.join(await folder(), 'outbox'),
    gateway: 'gateway-1',
    maxBytes: 64 * 1024 * 1024,
    whenFull: 'block',
    clock: systemClock,
    log: silentLogger,
  });
  const ends: ('written' | 'refused' | 'forgotten')[] = [];
  for (let moments = 0; moments < 12; moments++) {
    const writer = new Writer(core, new Rejects());
    core.closing = true;
    core.changed.open();
    for (let i = 0; i < moments; i++) await Promise.resolve();
    const at = ends.push('forgotten') - 1;
    const flushed = writer.flush().then(
      () => {
        ends[at] = 'written';
      },
      () => {
        ends[at] = 'refused';
      },
    );
    await writer.ended();
    await Promise.race([flushed, new Promise(setImmediate)]);
    core.closing = false;
  }
  await core.store.close();
  assert.ok(!ends.includes('forgotten'), ends.join());
  assert.ok(ends.includes('written') && ends.includes('refused'), ends.join());
});
