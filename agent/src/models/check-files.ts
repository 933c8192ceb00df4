/** Whether the files of a bundle are what its manifest says, byte for byte. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { type ModelFile, type ModelManifest, manifestSchema } from '@edgeward/shared/models/manifest';

export const manifestName = 'manifest.json';
const maxManifestBytes = 64 * 1024;

/** @throws EW_MODEL_BUNDLE naming the file */
export async function checkFiles(folder: string): Promise<ModelManifest> {
  const manifest = await readManifest(folder);
  for (const file of manifest.files) await checkFile(path.join(folder, file.name), file);
  return manifest;
}

/** @throws EW_MODEL_BUNDLE */
export async function checkFile(at: string, { name, bytes, sha256 }: ModelFile): Promise<void> {
  const found = await hashOf(at, bytes).catch((error: unknown) => {
    throw refusal(`${name} cannot be read: ${messageOf(error)}`, error);
  });
  if (found.bytes !== bytes) throw refusal(`${name} has ${found.bytes} bytes, its manifest says ${bytes}`);
  if (found.sha256 !== sha256)
    throw refusal(`${name} has the SHA-256 ${found.sha256}, its manifest says ${sha256}`);
}

export async function readManifest(folder: string): Promise<ModelManifest> {
  try {
    return manifestSchema.parse(
      JSON.parse((await readUpTo(path.join(folder, manifestName))).toString('utf8')),
    );
  } catch (error) {
    throw refusal(`${manifestName} cannot be used: ${messageOf(error)}`, error);
  }
}

/** One byte more than it should have is enough to see that it has too many. */
async function hashOf(at: string, mostBytes: number): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(at, { end: mostBytes })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function readUpTo(at: string): Promise<Buffer> {
  await using file = await open(at);
  const { size } = await file.stat();
  if (size > maxManifestBytes) throw new RangeError(`it has ${size} bytes`);
  return await file.readFile();
}

export function refusal(what: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EW_MODEL_BUNDLE', `${what}. Add the bundle to the collector again.`, { cause });
}
