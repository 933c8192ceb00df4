import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { ClassicLevel } from 'classic-level';
import { pino } from 'pino';
import { Consumer } from '../consumer.js';
import { openJournal, TestGateway } from '../journal/testing/blocks.js';
import { AlertBench, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import { ScriptedSink } from '../testing/scripted-sink.js';
import { AlertStore } from './alert-store.js';

const told = async ({ engine }: AlertBench, after = 0) =>
  (await engine.notes.read(after, 100)).map(({ number, device, value }) => [number, device, value.state]);

test('each change of an incident is one note, numbered, in the order of the changes; growth is none', async t => {
  const directory = await temporaryFolder(t);
  const tape = new Tape({ seed: 1, devices: ['pump-1', 'pump-2'] });
  let store: string;
  {
    await using bench = await AlertBench.open(t, { directory });
    let more = 0;
    bench.engine.notes.onMore(() => (more += 1));
    await bench.feed(tape.block(pattern('pump-1', 'xxx')));
    assert.deepEqual(await told(bench), [[1, 'pump-1', 'open']]);
    const [note] = await bench.engine.notes.read(0, 1);
    assert.equal(note?.value.id, bench.engine.list(1)[0]?.id);
    assert.equal(note?.gateway, 'gw-1');
    await bench.feed(tape.block(pattern('pump-1', 'xxxxx')));
    await bench.feed(tape.block(pattern('pump-2', 'xxx')));
    assert.deepEqual(await told(bench, 1), [[2, 'pump-2', 'open']]);
    assert.equal(bench.engine.notes.last, 2);
    assert.equal(more, 2);
    ({ store } = bench.engine.notes);
    await bench.kill();
  }
  await using bench = await AlertBench.open(t, { directory });
  assert.equal(bench.engine.notes.store, store, 'the same numbers after a kill');
  assert.equal(bench.engine.notes.last, 2);
  await bench.feed(tape.block(pattern('pump-1', '.'.repeat(400))));
  const later = await told(bench, 2);
  assert.deepEqual(later, [[3, 'pump-1', 'closed']]);
});

test('deliveries that come again after a kill make no second note', async t => {
  const directory = await temporaryFolder(t);
  const tape = new Tape({ seed: 2, devices: ['pump-1'] });
  const block = tape.block(pattern('pump-1', 'xxx'));
  {
    await using bench = await AlertBench.open(t, { directory });
    await bench.feed(block);
    await bench.kill();
  }
  await using bench = await AlertBench.open(t, { directory });
  await bench.feed(block);
  assert.deepEqual(await told(bench), [[1, 'pump-1', 'open']]);
});

const spoilt = (value: Buffer) => value.fill(value[0]! ^ 1, 0, 1);

/** Reaches into the files behind the store's back. */
async function spoil(directory: string, ...keys: string[]): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(path.join(directory, 'incidents'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  for (const key of keys.map(name => Buffer.from(name))) await db.put(key, spoilt((await db.get(key))!));
  await db.close();
}

test('notes that the disk has damaged are left out with a word; sinks go on with rows and other notes', async t => {
  const directory = await temporaryFolder(t);
  const tape = new Tape({ seed: 3, devices: ['pump-1', 'pump-2', 'pump-3', 'pump-4'] });
  {
    await using bench = await AlertBench.open(t, { directory });
    for (const device of ['pump-1', 'pump-2', 'pump-3', 'pump-4'])
      await bench.feed(tape.block(pattern(device, 'xxx')));
    await bench.kill();
  }
  await spoil(directory, 'note/000000000000002', 'note/000000000000003');
  const said: string[] = [];
  const log = pino({}, { write: (line: string) => void said.push(line) });
  const store = new AlertStore({ directory: path.join(directory, 'incidents'), log });
  await using bench = await AlertBench.open(t, { directory, store });
  assert.deepEqual(await told(bench), [
    [1, 'pump-1', 'open'],
    [4, 'pump-4', 'open'],
  ]);
  const [next] = await bench.engine.notes.read(1, 1);
  assert.equal(next?.number, 4, 'a page of damaged ones is not the end');
  await using journal = await openJournal(directory);
  await journal.append(new TestGateway().incoming(3));
  const sink = Object.assign(new ScriptedSink(), { takesNotes: true });
  const clock = new FakeClock({ autoAdvance: true });
  const feeds = [bench.engine.notes];
  const consumer = new Consumer({
    name: 'sink',
    sink,
    journal,
    feeds,
    clock,
    log: silentLogger,
    lingerMs: 1,
  });
  await consumer.open();
  const stop = new AbortController();
  const running = consumer.run(stop.signal, new AbortController().signal);
  while (consumer.lag + consumer.view().lag.notes > 0 && consumer.failure === null)
    await new Promise(setImmediate);
  stop.abort();
  await running;
  assert.equal(consumer.failure, null);
  assert.deepEqual(
    [sink.seqs, sink.calls.flatMap(({ notes }) => notes.map(note => note.number))],
    [
      [1, 2, 3],
      [1, 4],
    ],
  );
  assert.equal(
    said.filter(line => line.includes('damaged')).length,
    2,
    'each once, however often it is read',
  );
});
