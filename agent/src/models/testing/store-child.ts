/** Brings bundles into a store one after the other, as fast as it can, until it is done or killed at a failpoint. */
import { silentLogger } from '@edgeward/shared/log';
import { bundleIdOf } from '@edgeward/shared/models/manifest';
import { ModelStore } from '../store.js';
import { type MadeUp, madeUp } from './made-up.js';

const pieceBytes = 1000;

export async function bringIn(store: ModelStore, { manifest, files }: MadeUp, order: string): Promise<void> {
  const { type, revision } = manifest;
  const bundle = bundleIdOf(manifest);
  if (!(await store.has(type, bundle))) {
    const incoming = await store.receive(manifest);
    for (let { next } = incoming; next; { next } = incoming)
      await incoming.write(files[next.file]!.subarray(next.offset, next.offset + pieceBytes));
    await store.accept(incoming);
  }
  await store.activate(type, bundle, { order, revision, state: 'active' });
}

const [directory, ...seeds] = process.argv.slice(2);
if (directory !== undefined && seeds.length > 0) {
  const store = await ModelStore.open(directory, silentLogger);
  for (const seed of seeds) await bringIn(store, madeUp(Number(seed)), seed);
}
