/** Outboxes in folders of their own, and what a test does with them. */
import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import type { Entry, Receipt, RecordBatch, Rng } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { openStore, type Store, type StoreOptions } from '@edgeward/shared/store';
import { LevelOutbox, type Notice, type OutboxOptions } from '../level-outbox.js';

export const never: AbortSignal = new AbortController().signal;
export const stopped: AbortSignal = AbortSignal.abort();
export const polled = { source: 'polled' } as const;
export const acknowledging = { source: 'acknowledging', acknowledges: true } as const;

const folders: string[] = [];

/** For `after`. */
export function removeFolders(): Promise<unknown> {
  return Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
}

export async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-outbox-'));
  folders.push(made);
  return made;
}

export function open(
  base: string,
  options: Partial<OutboxOptions> = {},
  events: Notice[] = [],
): Promise<LevelOutbox> {
  return LevelOutbox.open({
    directory: path.join(base, 'outbox'),
    gateway: 'gateway-1',
    maxBytes: 64 * 1024 * 1024,
    whenFull: 'block',
    clock: systemClock,
    log: silentLogger,
    onEvent: event => void events.push(event),
    ...options,
  });
}

/** What a kill -9 leaves: the files as they are, while the process still has them open. */
export async function crashCopy(base: string): Promise<string> {
  const copy = await folder();
  await copyAtOnce(base, copy);
  return copy;
}

/** A kill leaves the files of one moment: a copy during which LevelDB made, replaced or removed one is none. */
export async function copyAtOnce(from: string, to: string): Promise<void> {
  for (;;) {
    const before = await filesOf(from);
    try {
      await cp(from, to, { recursive: true, filter: source => path.basename(source) !== 'LOCK' });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    }
    if (before === (await filesOf(from)) && (await readdir(to)).length > 0) return;
    await rm(to, { recursive: true, force: true });
  }
}

/** Which there are. CURRENT is replaced by another of its name, so names alone do not tell. */
async function filesOf(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true });
  const described = names.sort().map(async name => {
    const ino = await stat(path.join(folder, name)).then(
      file => file.ino,
      () => 'gone',
    );
    return `${name} ${ino}`;
  });
  return (await Promise.all(described)).join();
}

/** All that waits, once everything appended is durable. */
export async function waiting(outbox: LevelOutbox): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of outbox.entries(stopped)) entries.push(entry);
  return entries;
}

/** The next so many that are offered. */
export async function take(entries: AsyncIterator<Entry>, count: number): Promise<Entry[]> {
  const taken: Entry[] = [];
  while (taken.length < count) {
    const { value, done } = await entries.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

export function walk(outbox: LevelOutbox): AsyncIterator<Entry> {
  return outbox.entries(never)[Symbol.asyncIterator]();
}

export async function appendDurably(outbox: LevelOutbox, ...batches: readonly RecordBatch[]): Promise<void> {
  const admitted = [];
  for (const batch of batches) admitted.push(await outbox.append(batch, acknowledging, never));
  await Promise.all(admitted.map(({ durable }) => durable));
}

export function receiptOf({ epoch, seq }: Entry, mark: Receipt['mark'] = 'released'): Receipt {
  return { epoch, from: seq, through: seq, mark };
}

/** read = held + all fates of which the agent knows, over all devices; `delivered` is what is left over. */
export function sums(outbox: LevelOutbox) {
  let [read, held, rejected, thinned, dropped, damaged] = [0, 0, 0, 0, 0, 0];
  for (const device of outbox.report().devices) {
    read += device.read;
    rejected += device.rejected;
    thinned += device.thinned;
    dropped += device.dropped;
    damaged += device.damaged;
    held += device.held.reduce((sum, { count }) => sum + count, 0);
  }
  return { read, held, rejected, thinned, dropped, damaged };
}

/** Fault injected at the edge: what the store is asked to do may fail. */
export class FaultyDisk {
  /** Called before each; throws to make it fail. */
  before: (call: 'batch' | 'get') => void = () => undefined;

  readonly open = async (options: StoreOptions): Promise<Store> => {
    const store = await openStore(options);
    for (const call of ['batch', 'get'] as const) {
      const real = (store.db[call] as (...args: unknown[]) => Promise<unknown>).bind(store.db);
      const faulty = async (...args: unknown[]) => {
        this.before(call);
        return real(...args);
      };
      Object.defineProperty(store.db, call, { value: faulty });
    }
    return store;
  };
}

/** The same rows with values that no coding makes small: about 16 bytes each. */
export function noisy(batch: RecordBatch, rng: Rng): RecordBatch {
  const values = batch.values.map(column => Float64Array.from({ length: column.length }, () => rng()));
  return { ...batch, values };
}

/** Waits for a condition, not for a time; the test's own time limit is the bound. */
export async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise(resolve => setTimeout(resolve, 2));
}
