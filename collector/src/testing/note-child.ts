/**
 * Tells events while a sink takes them that keeps its cursor beside them, until it is killed or has told enough:
 * `node note-child.js FOLDER COUNT`. The sink's store is one file, replaced whole.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import type { Cursor, Note, Sink } from '@edgeward/shared/contracts';
import { writeFileAtomic } from '@edgeward/shared/files';
import { silentLogger } from '@edgeward/shared/log';
import { Consumer } from '../consumer.js';
import { Journal } from '../journal/journal.js';

const [folder = '', count = '0'] = process.argv.slice(2);
const [clock, log] = [systemClock, silentLogger];
const file = path.join(folder, 'sink.json');
const journal = await Journal.open({
  directory: path.join(folder, 'journal'),
  ballastBytes: 4096,
  clock,
  log,
});

interface Saved {
  readonly cursor?: Cursor;
  readonly notes: readonly number[];
  readonly seqs: readonly number[];
}

const saved = async (): Promise<Saved> =>
  JSON.parse(await readFile(file, 'utf8').catch(() => '{"notes":[],"seqs":[]}'));

const sink: Sink = {
  takesNotes: true,
  cursor: async () => (await saved()).cursor,
  write: async (deliveries, after, _deadline, notes: readonly Note[] = []) => {
    const before = await saved();
    const next = {
      cursor: { ...after, received: after.received },
      notes: [...before.notes, ...notes.map(({ number }) => number)],
      seqs: [...before.seqs, ...deliveries.map(({ seq }) => seq)],
    };
    await writeFileAtomic(file, JSON.stringify(next));
  },
  [Symbol.asyncDispose]: async () => undefined,
};

const feeds = [journal.eventLog];
const consumer = new Consumer({ name: 'notes', sink, journal, feeds, clock, log, lingerMs: 1 });
const stop = new AbortController();
await consumer.open();
const running = consumer.run(stop.signal, new AbortController().signal);
while (journal.eventLog.last < Number(count)) {
  await journal.tell('journal', `event ${journal.eventLog.last + 1}`);
  await clock.sleep(2, stop.signal);
}
stop.abort();
await running;
await journal[Symbol.asyncDispose]();
