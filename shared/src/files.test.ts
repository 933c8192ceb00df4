import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic } from './files.js';
import { smallDisk } from './testing/small-disk.js';

test('a file that finds no room leaves the old one, and nothing beside it', async t => {
  const folder = await smallDisk(t, 1024 * 1024);
  if (folder === undefined) return;
  const file = path.join(folder, 'state');
  await writeFileAtomic(file, 'old');
  await assert.rejects(writeFileAtomic(file, Buffer.alloc(2 * 1024 * 1024, 0x2e)), { code: 'ENOSPC' });
  assert.deepEqual(await readdir(folder), ['state']);
  assert.equal(await readFile(file, 'utf8'), 'old');
  await writeFile(path.join(folder, 'other'), Buffer.alloc(900 * 1024));
});
