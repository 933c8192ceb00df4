import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderFor, openJournal } from './testing/blocks.js';

const facts = (atMs: number) => ({ gateway: 'gw-1', reason: `no. ${atMs}`, atMs, rejected: false });

test('dead letters are kept once, whole, up to their bytes; the oldest go, counted', async t => {
  const folder = await folderFor(t);
  const bytesOf = (n: number) => new Uint8Array(300).fill(n);
  {
    await using journal = await openJournal(folder, { maxDeadLetterBytes: 1000 });
    const { deadLetters } = journal;
    for (const n of [1, 2, 2, 3, 4, 5]) await journal.write(deadLetters.keep(bytesOf(n), facts(n)), true);
    await journal.write(deadLetters.keep(new Uint8Array(2000), facts(6)), true);
  }
  await using journal = await openJournal(folder, { maxDeadLetterBytes: 1000 });
  const { deadLetters } = journal;
  assert.deepEqual(
    deadLetters.list(10).map(({ reason, bytes }) => [reason, bytes]),
    [
      ['no. 5', 300],
      ['no. 4', 300],
      ['no. 3', 300],
    ],
  );
  assert.equal(deadLetters.dropped, 3);
  assert.deepEqual(deadLetters.list(1).map(({ id }) => id).length, 1);
  const [newest] = deadLetters.list(1);
  assert.deepEqual(await deadLetters.bytesOf(newest!.id), Buffer.from(bytesOf(5)));
  assert.equal(await deadLetters.bytesOf('unknown'), undefined);
});
