import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlertBench, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';

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
