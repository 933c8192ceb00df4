import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readSecret } from '../config.js';
import { hasCode } from '../errors.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-secret-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function fileWith(text: string): Promise<{ file: string }> {
  const file = join(folder, 'secret');
  await writeFile(file, text);
  return { file };
}

test('one newline at the end is not part of it', async () => {
  for (const [text, value] of [
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    [' a b \n\n', ' a b \n'],
  ] as const) {
    assert.equal(await readSecret(await fileWith(text)), value);
  }
});

test('from the environment', async () => {
  process.env.EDGEWARD_TEST_SECRET = 'hunter2';
  assert.equal(await readSecret({ env: 'EDGEWARD_TEST_SECRET' }), 'hunter2');
  delete process.env.EDGEWARD_TEST_SECRET;
  await assert.rejects(
    readSecret({ env: 'EDGEWARD_TEST_SECRET' }),
    /variable EDGEWARD_TEST_SECRET .* not set/,
  );
});

test('a missing or empty file is named', async () => {
  for (const ref of [{ file: join(folder, 'none') }, await fileWith('\n')]) {
    await assert.rejects(
      readSecret(ref),
      error => hasCode(error, 'EW_CONFIG_FILE') && error.message.includes(ref.file),
    );
  }
});
