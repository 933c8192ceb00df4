/** An outbox with blocks in it, and what becomes of its files. */
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { ClassicLevel } from 'classic-level';
import { blockKey, endOfBlocks } from '../../outbox/layout.js';
import { LevelOutbox } from '../../outbox/level-outbox.js';

const never = new AbortController().signal;

export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-fsck-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** As a checked agent configuration has it. */
export function configFor(dataDir: string) {
  return { gateway: 'gw-1', dataDir, outbox: { maxBytes: 1e9, whenFull: 'block' as const } };
}

export function openOutboxIn(dataDir: string): Promise<LevelOutbox> {
  return LevelOutbox.open({
    directory: path.join(dataDir, 'outbox'),
    gateway: 'gw-1',
    maxBytes: 1e9,
    whenFull: 'block',
    clock: systemClock,
    log: silentLogger,
  });
}

export async function append(
  outbox: LevelOutbox,
  blocks: number,
  batches = new TestBatches(),
): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    const { durable } = await outbox.append(batches.next(4), { source: 's', acknowledges: true }, never);
    await durable;
  }
}

/** One start with as many blocks of 8 rows, ended cleanly or as a kill leaves it. */
export async function filled(t: TestContext, blocks: number, end: 'clean' | 'crash'): Promise<string> {
  const [folder, crashed] = [await folderFor(t), await folderFor(t)];
  const outbox = await openOutboxIn(folder);
  await append(outbox, blocks);
  if (end === 'crash') await cp(folder, crashed, { recursive: true });
  await outbox[Symbol.asyncDispose]();
  return end === 'crash' ? crashed : folder;
}

/** Hashes of all files below, LevelDB's lock and own log apart. */
export async function filesOf(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'LOCK') continue;
    const file = path.join(entry.parentPath, entry.name);
    hashes[path.relative(folder, file)] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  return hashes;
}

/** The blocks LevelDB still finds, hex, in a copy; undefined if it cannot read that. */
export async function blocksIn(t: TestContext, dataDir: string): Promise<Map<string, string> | undefined> {
  const records = await recordsIn(t, dataDir);
  return (
    records &&
    new Map(
      [...records].filter(
        ([key]) => key >= blockKey(0, 0).toString('hex') && key < endOfBlocks.toString('hex'),
      ),
    )
  );
}

/** All that LevelDB still finds. */
export async function recordsIn(t: TestContext, dataDir: string): Promise<Map<string, string> | undefined> {
  const copy = await folderFor(t);
  await cp(path.join(dataDir, 'outbox'), copy, { recursive: true });
  const db = new ClassicLevel<Buffer, Buffer>(copy, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await db.open({ createIfMissing: false });
    const found = await db.iterator().all();
    return new Map(found.map(([key, value]) => [key.toString('hex'), value.toString('hex')]));
  } catch {
    return undefined;
  } finally {
    await db.close();
  }
}
