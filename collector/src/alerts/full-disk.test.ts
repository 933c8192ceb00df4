/** A full disk is told: there is room for its incident and its mail. On a real, small file system. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { smallDisk } from '@edgeward/shared/testing/small-disk';
import { PipelineRig } from '../testing/pipeline-rig.js';
import { AlertStore } from './alert-store.js';

const mebibyte = 1024 * 1024;
const ballastBytes = mebibyte;

/** A rig whose incidents lie on a small disk, which another program then fills. */
async function onFullDisk(t: TestContext, kept: number) {
  const folder = await smallDisk(t, 10 * mebibyte);
  if (folder === undefined) return undefined;
  const directory = path.join(folder, 'alerts');
  const store = new AlertStore({ directory, ballastBytes: kept, log: silentLogger });
  t.after(() => store[Symbol.asyncDispose]());
  const rig = await PipelineRig.open(t, { store });
  await rig.run(120);
  await store.commit([{ key: 'something', value: 'before' }]);
  const filler = path.join(folder, 'filler');
  await fill(filler);
  return { rig, store, directory, filler };
}

async function fill(file: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    for (const bytes of [mebibyte, 4096])
      for (let isFull = false; !isFull; )
        isFull = await handle.write(Buffer.alloc(bytes, 0x2e)).then(
          ({ bytesWritten }) => bytesWritten < bytes,
          () => true,
        );
  } finally {
    await handle.close();
  }
}

/** More than what is left in the pages that the store already has. */
const large = Array.from({ length: 40 }, (_, i) => ({ key: `large-${i}`, value: 'x'.repeat(1000) }));

test('on a full disk the health incident opens and its mail is queued, and both are there after a start', async t => {
  const disk = await onFullDisk(t, ballastBytes);
  if (!disk) return;
  const { rig, store, directory, filler } = disk;
  await store.commit(large);
  rig.collector.failure = 'No space left on device';
  await rig.run(10);
  assert.deepEqual(
    rig.incidents('open').map(({ source }) => source),
    ['collector-journal'],
  );
  assert.equal(rig.bench.mailIds().length, 1);
  assert.equal(existsSync(`${directory}.ballast`), false, 'it was needed');
  await rig.run(60);
  assert.equal(rig.bench.mailIds().length, 1);
  await store[Symbol.asyncDispose]();
  await rm(filler);
  const again = new AlertStore({ directory, ballastBytes, log: silentLogger });
  assert.deepEqual([(await again.list('mail/')).length, (await again.list('incident/')).length], [1, 1]);
  await again.commit([{ key: 'something', value: 'after' }]);
  assert.equal(existsSync(`${directory}.ballast`), true, 'it is held again');
  await again[Symbol.asyncDispose]();
});

test('without the room that is kept, nothing can be stored on a full disk', async t => {
  const disk = await onFullDisk(t, 0);
  if (!disk) return;
  await assert.rejects(disk.store.commit(large), { code: 'EW_STORE_WRITE' });
});
