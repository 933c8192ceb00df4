/** Notes reach sinks beside the deliveries, each once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@edgeward/shared/clock';
import type { Note, Sink } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { testSeed } from '@edgeward/shared/testing/seed';
import { Consumer } from '../consumer.js';
import type { Journal } from '../journal/journal.js';
import { folderFor, openJournal, TestGateway } from '../journal/testing/blocks.js';
import type { NoteFeed } from '../notes/feed.js';
import { type Call, ScriptedSink } from '../testing/scripted-sink.js';

const never = new AbortController().signal;
const limit = { timeout: 60_000 };

/** Incidents as their store would tell them. */
class FakeIncidents implements NoteFeed {
  readonly feed = 'incident';
  readonly notes: Note[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(readonly store = 'alerts-1') {}

  get last(): number {
    return this.notes.at(-1)?.number ?? 0;
  }

  add(atMs = 1000): void {
    const { feed, store } = this;
    this.notes.push({ feed, store, number: this.last + 1, gateway: 'gw-1', atMs, value: { id: 'inc-1' } });
    for (const listener of this.#listeners) listener();
  }

  async read(after: number, most: number): Promise<Note[]> {
    return this.notes.filter(({ number }) => number > after).slice(0, most);
  }

  passed(): void {}

  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

async function follow(journal: Journal, sink: Sink, feeds: readonly NoteFeed[], sinceMs?: number) {
  const clock = new FakeClock({ autoAdvance: true });
  const consumer = new Consumer({
    name: 'sink',
    sink,
    journal,
    feeds,
    clock,
    log: silentLogger,
    lingerMs: 5,
  });
  await consumer.open(sinceMs);
  const stop = new AbortController();
  const running = consumer.run(stop.signal, never);
  return {
    consumer,
    stored: async () => {
      while (consumer.lag + consumer.view().lag.notes > 0) await new Promise(setImmediate);
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

function noteSink(act: (call: Call) => void = () => undefined) {
  const sink = Object.assign(new ScriptedSink(act), { takesNotes: true });
  const numbers = () =>
    sink.calls.flatMap(({ notes }) => notes.map(({ feed, number }) => `${feed} ${number}`));
  return { sink, numbers };
}

test(
  'notes and deliveries come together, a wait ends when either does, and a restart goes on from there',
  limit,
  async t => {
    const folder = await folderFor(t);
    const gateway = new TestGateway();
    const incidents = new FakeIncidents();
    const { sink, numbers } = noteSink();
    {
      await using journal = await openJournal(folder);
      await journal.append(gateway.incoming(2));
      incidents.add();
      await using following = await follow(journal, sink, [incidents, journal.eventLog]);
      await following.stored();
      assert.deepEqual(
        [sink.calls.length, sink.calls[0]!.deliveries.length, numbers()],
        [1, 2, ['incident 1']],
      );
      await journal.tell('journal', 'something happened');
      await following.stored();
      incidents.add();
      await following.stored();
      await journal.append(gateway.incoming(1));
      await following.stored();
    }
    assert.deepEqual(numbers(), ['incident 1', 'event 1', 'incident 2']);
    await using journal = await openJournal(folder);
    assert.deepEqual(journal.noteCursor('sink'), { 'incident/alerts-1': 2, [`event/${journal.id}`]: 1 });
    incidents.add();
    await using following = await follow(journal, sink, [incidents, journal.eventLog]);
    await following.stored();
    assert.deepEqual(numbers().slice(3), ['incident 3']);
    assert.deepEqual(sink.seqs, [1, 2, 3]);
    assert.equal(following.consumer.view().notesStored, 1);
  },
);

test('a sink that has no use for notes gets none and waits for none', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const incidents = new FakeIncidents();
  incidents.add();
  const sink = new ScriptedSink();
  await using following = await follow(journal, sink, [incidents]);
  await journal.append(new TestGateway().incoming(1));
  await following.stored();
  assert.deepEqual(
    sink.calls.map(({ notes }) => notes),
    [[]],
  );
});

test('another store of incidents counts anew', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const [before, after] = [new FakeIncidents('alerts-1'), new FakeIncidents('alerts-2')];
  const { sink, numbers } = noteSink();
  for (let i = 0; i < 3; i++) before.add();
  {
    await using following = await follow(journal, sink, [before]);
    await following.stored();
  }
  after.add();
  await using following = await follow(journal, sink, [after]);
  await following.stored();
  assert.deepEqual(numbers(), ['incident 1', 'incident 2', 'incident 3', 'incident 1']);
});

test('a sink that begins now gets no older notes; what was given up is not waited for', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  const incidents = new FakeIncidents();
  for (const atMs of [1000, 2000, 3000, 2500]) incidents.add(atMs);
  const { sink, numbers } = noteSink();
  {
    await using following = await follow(journal, sink, [incidents], 3000);
    await following.stored();
    assert.deepEqual(numbers(), ['incident 3', 'incident 4']);
    incidents.add(4000);
    incidents.notes.splice(0, 4);
    await following.stored();
  }
  incidents.read = async () => [];
  incidents.add();
  await using following = await follow(journal, sink, [incidents], 3000);
  await following.stored();
  assert.deepEqual(numbers().slice(2), ['incident 5']);
});

test('a feed that cannot be read for a while costs neither deliveries nor notes', limit, async t => {
  for (const maxDeliveries of [2, 1000]) {
    await using journal = await openJournal(await folderFor(t));
    await journal.append(new TestGateway().incoming(7));
    const incidents = new FakeIncidents();
    for (let i = 0; i < 3; i++) incidents.add();
    const read = incidents.read.bind(incidents);
    let tries = 0;
    incidents.read = async (after, most) => {
      tries += 1;
      if (tries <= 2) throw new Error('the disk is slow to answer');
      return read(after, most);
    };
    const limits = { maxDeliveries, maxBytes: 1e6 };
    const sink = Object.assign(new ScriptedSink(undefined, { limits }), { takesNotes: true });
    await using following = await follow(journal, sink, [incidents]);
    await following.stored();
    assert.deepEqual([sink.seqs, journal.cursor('sink')], [[1, 2, 3, 4, 5, 6, 7], 7]);
    assert.equal(sink.calls.flatMap(({ notes }) => notes).length, 3);
    assert.ok(tries > 2, 'it has failed');
  }
});

test(
  'notes that were given up, or are damaged, are counted and told for who had come to them',
  limit,
  async t => {
    await using journal = await openJournal(await folderFor(t));
    const incidents = new FakeIncidents();
    for (let i = 0; i < 6; i++) incidents.add();
    incidents.notes.splice(0, 2);
    const { sink, numbers } = noteSink();
    const told = () => journal.events().flatMap(({ text }) => (text.includes('never gets') ? [text] : []));
    {
      await using following = await follow(journal, sink, [incidents]);
      await following.stored();
      assert.deepEqual(
        [numbers().length, following.consumer.view().notesMissed],
        [4, 0],
        'it began with those',
      );
    }
    for (let i = 0; i < 8; i++) incidents.add();
    incidents.notes.splice(4, 5);
    await using following = await follow(journal, sink, [incidents]);
    await following.stored();
    assert.deepEqual(numbers().slice(4), ['incident 12', 'incident 13', 'incident 14']);
    assert.equal(following.consumer.view().notesMissed, 5);
    incidents.read = async () => [];
    incidents.add();
    await following.stored();
    assert.equal(following.consumer.view().notesMissed, 6);
    assert.match(
      told().join(),
      /^Sink sink never gets 5 notes of incidents: .*,Sink sink never gets 1 notes/,
    );
  },
);

test('a note that is refused goes to the dead letters, and comes back by a replay', limit, async t => {
  await using journal = await openJournal(await folderFor(t));
  await journal.append(new TestGateway().incoming(3));
  const incidents = new FakeIncidents();
  for (let i = 0; i < 5; i++) incidents.add();
  let refuses = true;
  const { sink } = noteSink(({ notes }) => {
    if (refuses && notes.some(({ number }) => number === 4))
      throw new EdgewardError('EW_SINK_REFUSED', 'too long');
  });
  await using following = await follow(journal, sink, [incidents]);
  await following.stored();
  const [letter] = journal.sinkLetters.list(9);
  assert.ok(letter?.kind === 'note' && letter.number === 4 && letter.reason.includes('too long'));
  refuses = false;
  const [replayed] = await following.consumer.replay([letter.id]);
  assert.deepEqual([replayed?.stored, sink.calls.at(-1)?.notes], [true, [incidents.notes[3]]]);
  assert.deepEqual(sink.seqs, [1, 2, 3]);
});

test('killed at any moment, each event is there once, in order', limit, async t => {
  const seed = testSeed('kills among notes');
  const rng = seededRng(seed);
  const folder = await folderFor(t);
  const child = fileURLToPath(new URL('../testing/note-child.js', import.meta.url));
  const run = async (failpoint: string | undefined, killAfterMs: number | undefined) => {
    const env = { ...process.env, ...(failpoint && { EDGEWARD_FAILPOINT: failpoint }) };
    const running = spawn(process.execPath, [child, folder, '120'], { env, stdio: 'ignore' });
    const ended = once(running, 'exit');
    if (killAfterMs !== undefined) {
      await systemClock.sleep(killAfterMs, never);
      running.kill('SIGKILL');
    }
    const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    return signal ?? code;
  };
  assert.equal(await run(`sink.after-write@${1 + Math.floor(rng() * 5)}`, undefined), 'SIGKILL');
  for (let kill = 0; kill < 4; kill++) await run(undefined, 150 + rng() * 500);
  assert.equal(await run(undefined, undefined), 0);
  const { notes } = JSON.parse(await readFile(path.join(folder, 'sink.json'), 'utf8'));
  assert.deepEqual(
    notes,
    Array.from({ length: notes.length }, (_, i) => i + 1),
    `seed ${seed}`,
  );
  assert.ok(notes.length >= 120);
});
