/** Dead letters of sinks are tried again: each stored once, whatever ends in between. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { auditCollector } from '../audit/audit-collector.js';
import { collectorConfig } from '../config.js';
import { Consumer } from '../consumer.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import { ScriptedSink } from '../testing/scripted-sink.js';

const never = new AbortController().signal;
const limit = { timeout: 60_000 };

/** Refuses these seqs until told otherwise. */
async function rigFor(t: TestContext, poison: readonly number[]) {
  const journal = await openJournal(await folderFor(t));
  const gateway = new TestGateway();
  await journal.append(gateway.incoming(6));
  const state = { refuses: true, isDown: false };
  const sink = new ScriptedSink(async ({ deliveries }) => {
    if (state.isDown) throw new EdgewardError('EW_SINK_WRITE', 'server is down');
    await new Promise(setImmediate);
    const bad = deliveries.find(({ seq }) => poison.includes(seq));
    if (bad && state.refuses) throw new EdgewardError('EW_SINK_REFUSED', `no room for ${bad.seq}`);
  });
  const clock = new FakeClock({ autoAdvance: true });
  const consumer = new Consumer({ name: 'sink', sink, journal, clock, log: silentLogger, lingerMs: 1 });
  await consumer.open();
  const stop = new AbortController();
  const running = consumer.run(stop.signal, never);
  while (consumer.lag > 0) await new Promise(setImmediate);
  const ids = journal.sinkLetters.list(9).map(({ id }) => id);
  const close = async () => {
    stop.abort();
    await running;
    await journal[Symbol.asyncDispose]();
  };
  return { journal, gateway, state, sink, consumer, ids, [Symbol.asyncDispose]: close };
}

test(
  'what is taken now is stored and no letter any more; beside it writes go on, one after the other',
  limit,
  async t => {
    await using rig = await rigFor(t, [2, 5]);
    const { journal, gateway, state, sink, consumer, ids } = rig;
    assert.equal(ids.length, 2);
    state.refuses = false;
    const replaying = consumer.replay(ids);
    await journal.append(gateway.incoming(3));
    const results = await replaying;
    while (consumer.lag > 0) await new Promise(setImmediate);
    assert.deepEqual(
      results.map(({ stored, reason }) => [stored, reason]),
      [
        [true, null],
        [true, null],
      ],
    );
    assert.deepEqual(journal.sinkLetters.list(9), []);
    assert.deepEqual([...sink.seqs].sort(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual([sink.atOnce, consumer.position], [1, 9]);
  },
);

test(
  'what is refused again stays with the reason of now; after a failure the others are not tried',
  limit,
  async t => {
    await using rig = await rigFor(t, [2, 5]);
    const { journal, state, sink, consumer, ids } = rig;
    const again = await consumer.replay(ids);
    assert.deepEqual(
      again.map(({ stored }) => stored),
      [false, false],
    );
    assert.match(again[0]!.reason ?? '', /no room for 5/);
    assert.equal(journal.sinkLetters.list(9).length, 2);
    state.isDown = true;
    const calls = sink.calls.length;
    const down = await consumer.replay(ids);
    assert.match(down[0]!.reason ?? '', /server is down/);
    assert.match(down[1]!.reason ?? '', /not tried, after this: .*server is down/);
    assert.equal(sink.calls.length, calls + 1);
    const [strange] = await consumer.replay(['unknown']);
    assert.match(strange!.reason ?? '', /no such/);
    state.isDown = false;
    consumer.pause();
    const [paused] = await consumer.replay(ids);
    assert.match(paused!.reason ?? '', /resume/);
  },
);

test('a sink that keeps its own cursor and cannot replay says so', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const [delivery] = await journal.append(new TestGateway().incoming(1));
  await journal.sinkLetters.keep('sink', [{ delivery: delivery!, reason: 'no' }]);
  const sink: Sink = Object.assign(new ScriptedSink(), { cursor: async () => undefined });
  const clock = new FakeClock({ autoAdvance: true });
  const consumer = new Consumer({ name: 'sink', sink, journal, clock, log: silentLogger, lingerMs: 1 });
  await consumer.open();
  const [result] = await consumer.replay([journal.sinkLetters.list(1)[0]!.id]);
  assert.match(result!.reason ?? '', /cannot take again/);
});

async function run(what: string, folder: string, failpoint?: string): Promise<NodeJS.Signals | null> {
  const child = fileURLToPath(new URL('../testing/replay-child.js', import.meta.url));
  const env = { ...process.env, ...(failpoint && { EDGEWARD_FAILPOINT: failpoint }) };
  const running = spawn(process.execPath, [child, what, folder], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [, signal] = (await once(running, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal;
}

/** Of every line in its files, whose row it is. */
async function linesIn(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.ndjson'));
  const texts = await Promise.all(files.sort().map(name => readFile(path.join(folder, name), 'utf8')));
  return texts
    .flatMap(text => text.split('\n').filter(Boolean))
    .map(line => {
      const { device, seq, row } = JSON.parse(line);
      return `${device} ${seq} ${row}`;
    });
}

test(
  'the file sink has a letter once, wherever a replay is killed, and an audit balances all along',
  limit,
  async t => {
    const folder = await folderFor(t);
    const gateway = new TestGateway('gw-1', 1);
    const files = path.join(folder, 'files');
    const config = collectorConfig.parse({ dataDir: folder, sinks: [{ type: 'file', directory: files }] });
    const audit = async () => {
      const { discrepancies, explained } = await auditCollector(config, []);
      assert.deepEqual(discrepancies, []);
      return explained
        .filter(({ kind }) => kind === 'rows-refused')
        .reduce((sum, one) => sum + one.count!, 0);
    };
    {
      await using journal = await openJournal(folder);
      await journal.append(Array.from({ length: 7 }, () => gateway.understood(gateway.bytes(3))));
    }
    assert.equal(await run('refuse', folder), null);
    assert.equal(await audit(), 7, 'a block of six rows, and one row');
    for (const nth of [1, 2])
      assert.equal(await run('replay', folder, `sink.after-replay@${nth}`), 'SIGKILL');
    await audit();
    assert.equal(await run('replay', folder), null);
    assert.equal(await audit(), 0);
    const lines = await linesIn(files);
    assert.deepEqual([lines.length, new Set(lines).size], [42, 42], 'every row once');
  },
);
