/**
 * A file sink that refuses a block and a row (`node replay-child.js refuse FOLDER`), or replays its dead letters beside
 * its writes (`replay`).
 */
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery, Sink } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { selectRows } from '@edgeward/shared/select-rows';
import { Consumer } from '../consumer.js';
import { Journal } from '../journal/journal.js';
import { FileSink } from '../sinks/file.js';

const [what = '', folder = ''] = process.argv.slice(2);
const [clock, log] = [systemClock, silentLogger];
const journal = await Journal.open({
  directory: path.join(folder, 'journal'),
  ballastBytes: 4096,
  clock,
  log,
});
const sink = new FileSink({
  directory: path.join(folder, 'files'),
  maxBytes: 2000,
  maxAgeMs: 3_600_000,
  keepFiles: undefined,
  log,
  clock,
});
/** Of the third block nothing is taken, of the fifth all but a row in its middle. */
async function takeSome(deliveries: readonly Delivery[]): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  for (const delivery of deliveries) {
    const { seq, batch } = delivery;
    const rows = seq === 3 ? undefined : [2];
    if (seq !== 3 && seq !== 5) taken.push(delivery);
    else await journal.sinkLetters.keep('file', [{ delivery, ...(rows && { rows }), reason: 'not now' }]);
    const rest = Uint32Array.from(batch.row.keys()).filter(i => i !== 2);
    if (seq === 5) taken.push({ ...delivery, batch: selectRows(batch, rest) });
  }
  return taken;
}

const refusing: Sink = {
  cursor: () => sink.cursor(),
  write: async (deliveries, after, deadline) => sink.write(await takeSome(deliveries), after, deadline),
  replay: (...args) => sink.replay(...args),
  [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
};
const consumer = new Consumer({ name: 'file', sink: refusing, journal, clock, log, lingerMs: 1 });
const stop = new AbortController();
await consumer.open();
const running = consumer.run(stop.signal, new AbortController().signal);
if (what === 'replay') await consumer.replay(journal.sinkLetters.list(1000).map(({ id }) => id));
stop.abort();
await running;
await sink[Symbol.asyncDispose]();
await journal[Symbol.asyncDispose]();
