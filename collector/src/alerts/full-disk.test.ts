/** A full disk is told: there is room for its incident and its mail. On a real, small file system. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { smallDisk } from '@edgeward/shared/testing/small-disk';
import type { Journal } from '../journal/journal.js';
import { openJournal, TestGateway } from '../journal/testing/blocks.js';
import { PipelineRig } from '../testing/pipeline-rig.js';
import { AlertStore } from './alert-store.js';

const mebibyte = 1024 * 1024;
const ballastBytes = mebibyte;

/** A rig whose incidents lie on a small disk, which another program then fills. */
async function onFullDisk(
  t: TestContext,
  kept: number,
  prepare: (folder: string) => Promise<void> = async () => undefined,
) {
  const folder = await smallDisk(t, 10 * mebibyte);
  if (folder === undefined) return undefined;
  const directory = path.join(folder, 'alerts');
  const store = new AlertStore({ directory, ballastBytes: kept, log: silentLogger });
  await prepare(folder);
  t.after(() => store[Symbol.asyncDispose]());
  const rig = await PipelineRig.open(t, { store });
  await rig.run(120);
  await store.commit([{ key: 'something', value: 'before' }]);
  const filler = path.join(folder, 'filler');
  await fill(filler);
  return { rig, store, folder, directory, filler };
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

test('the journal takes no blocks into what is kept: it stays told that it cannot be written, also over a start', async t => {
  const gateway = new TestGateway();
  let open: Journal | undefined;
  const disk = await onFullDisk(t, ballastBytes, async folder => {
    open = await openJournal(folder, { ballastBytes });
    await open.settle();
  });
  if (!disk || !open) return;
  const { rig, store, folder, filler } = disk;
  let journal: Journal = open;
  const append = async () => {
    const block = gateway.understood(gateway.bytes(5000));
    rig.collector.failure = await journal.append([block]).then(
      () => null,
      (error: Error) => error.message,
    );
    return rig.collector.failure === null;
  };
  while (await append()); // into pages that it already has
  await store.commit(large);
  for (const seconds of [30, 180]) {
    await journal.recover();
    assert.equal(await append(), false);
    await rig.run(seconds);
  }
  await journal[Symbol.asyncDispose]();
  journal = await openJournal(folder, { ballastBytes });
  assert.equal(await append(), false, 'nor after a start');
  const sources = rig.incidents('open').map(({ source }) => source);
  assert.deepEqual([sources, rig.bench.mailIds().length], [['collector-journal'], 1]);
  await rm(filler);
  await journal.recover();
  assert.equal(await append(), true, String(rig.collector.failure));
  assert.equal(existsSync(path.join(folder, 'journal.ballast')), true, 'it is held again');
  for (const each of [journal, store]) await each[Symbol.asyncDispose]();
});
