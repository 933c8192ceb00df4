/** A real, small file system for tests that fill it. Needs root on Linux. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Undefined, and the test skipped with the reason, where none can be mounted; with EDGEWARD_NO_SKIP that fails. */
export async function smallDisk(t: TestContext, bytes: number): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  } catch (error) {
    await rm(folder, { recursive: true });
    if (process.env.EDGEWARD_NO_SKIP) throw error;
    t.skip(`no small disk can be mounted here: ${(error as Error).message.trim()}`);
    return undefined;
  }
  t.after(async () => {
    await run('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  });
  return folder;
}
