/** What the journal finds broken, tells, and does without. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ClassicLevel } from 'classic-level';
import type { Journal } from './journal.js';
import { blockKey } from './layout.js';
import { epochOf, folderFor, openJournal, TestGateway } from './testing/blocks.js';

const all = { maxDeliveries: 1e6, maxBytes: 1e9 };

async function filled(folder: string, blocks = 10): Promise<TestGateway> {
  const gateway = new TestGateway();
  await using journal = await openJournal(folder);
  await journal.append(gateway.incoming(blocks));
  return gateway;
}

/** Reaches into the files behind the journal's back. */
async function tamper(
  folder: string,
  act: (db: ClassicLevel<Buffer, Buffer>) => Promise<unknown>,
): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(path.join(folder, 'journal'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  await act(db);
  await db.close();
}

async function positions(journal: Journal): Promise<number[]> {
  return (await journal.read(0, all)).deliveries.map(({ position }) => position);
}

function damage(journal: Journal): string[] {
  return journal.events().flatMap(({ kind, text }) => (kind === 'damage' ? [text] : []));
}

test('blocks that are gone without a reason are told once, with their positions', async t => {
  const folder = await folderFor(t);
  await filled(folder);
  await tamper(folder, async db => {
    for (const position of [4, 5, 10]) await db.del(blockKey(position));
  });
  for (const start of [1, 2]) {
    await using journal = await openJournal(folder);
    assert.deepEqual(await positions(journal), [1, 2, 3, 6, 7, 8, 9]);
    const own = damage(journal).filter(text => /Blocks/.test(text));
    assert.equal(own.length, 2, `${start}: ${own}`);
    assert.match(own.join(), /10 to 10.*4 to 5/);
    assert.equal(journal.position, 10, 'no position is used twice');
  }
});

test('unreadable records are told and done without; received ranges are read back from the blocks', async t => {
  const folder = await folderFor(t);
  const gateway = await filled(folder);
  await tamper(folder, async db => {
    for await (const key of db.keys())
      if (['r', 'g', 'n', 'c', 'a'].includes(key.toString('latin1', 0, 1)))
        await db.put(key, Buffer.from('{"se'));
    await db.put(Buffer.from('cfile'), Buffer.from('[]'));
  });
  await using journal = await openJournal(folder);
  assert.match(damage(journal).join(), /unreadable/);
  assert.equal(journal.cursor('file'), undefined);
  assert.deepEqual(journal.received.get('gw-1', epochOf(1))?.seqs.toJSON(), [[1, 10]]);
  assert.equal(journal.received.get('gw-1', epochOf(1))?.rows.get('probe-1')?.count, 20);
  assert.equal((await journal.append(gateway.incoming(1))).length, 1);
});

for (const marker of ['is gone', 'is garbage'])
  test(`a marker that ${marker} is read back from the store: it is the same journal`, async t => {
    const folder = await folderFor(t);
    await filled(folder);
    const id = await openJournal(folder).then(async journal => {
      await journal[Symbol.asyncDispose]();
      return journal.id;
    });
    const file = path.join(folder, 'journal.json');
    await (marker === 'is gone' ? rm(file) : writeFile(file, '{'));
    await using journal = await openJournal(folder);
    assert.equal(journal.id, id);
    assert.equal((await positions(journal)).length, 10);
  });

test('a store that nothing can be made of is moved aside, told, and a new one begins', async t => {
  const folder = await folderFor(t);
  await filled(folder);
  await rm(path.join(folder, 'journal.json'));
  for (const name of await readdir(path.join(folder, 'journal')))
    await writeFile(path.join(folder, 'journal', name), 'garbage');
  await using journal = await openJournal(folder);
  assert.equal(journal.position, 0);
  assert.match(damage(journal).join(), /could not be identified/);
  assert.ok((await readdir(folder)).some(name => name.startsWith('journal.damaged-')));
  assert.equal((await journal.append(new TestGateway().incoming(1))).length, 1);
});
