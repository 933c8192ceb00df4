/** Small bundles that are real ones. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readBundle, writeBundle } from '@edgeward/models/bundle';
import { machineBatch, machineTraining } from '@edgeward/models/testing/machine';
import { train } from '@edgeward/models/training';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { manifestOf } from '@edgeward/shared/models/manifest';
import type { MadeUp } from './made-up.js';

export interface Made extends MadeUp {
  readonly folder: string;
}

let made = 0;

export function ofType(type: string, batch: RecordBatch): RecordBatch {
  return { ...batch, schema: { ...batch.schema, type } };
}

/**
 * For the machine of the tests; another seed is another revision.
 * @param instead  files in place of its own: a manifest that is right of a bundle that is not
 */
export async function makeBundle(
  under: string,
  seed: number,
  instead: Readonly<Record<string, Uint8Array>> = {},
  type = 'machine',
): Promise<Made> {
  const folder = path.join(under, `bundle-${seed}-${made++}`);
  const options = { ...machineTraining, seed, trees: 20, samples: 64 };
  const { bundle } = train({ batch: ofType(type, machineBatch({ rows: 1000 })), skippedRows: 0 }, options);
  await mkdir(under, { recursive: true });
  await writeBundle(folder, bundle);
  const { card } = await readBundle(folder);
  for (const [name, data] of Object.entries(instead)) await writeFile(path.join(folder, name), data);
  const names = (await readdir(folder)).sort();
  const files = Object.fromEntries(
    await Promise.all(names.map(async name => [name, await readFile(path.join(folder, name))] as const)),
  );
  return { folder, files, manifest: manifestOf({ type: card.deviceType, revision: card.revision }, files) };
}
