/** Repairs the collector's stores with the code that it starts with, after a copy has been put aside. */
import type { Repair } from '@edgeward/shared/audit/sides';
import { systemClock } from '@edgeward/shared/clock';
import type { RangeList } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { RangeSet } from '@edgeward/shared/ranges';
import { openStore } from '@edgeward/shared/store';
import { copyAside } from '@edgeward/shared/store-snapshot';
import { faultyTables, mendTables } from '@edgeward/shared/store-tables';
import type { Journal, JournalOptions } from '../journal/journal.js';
import { type CollectorStore, checkStore, storesOf, unreadableAlerts } from './check-stores.js';

export type OpenJournal = (options: JournalOptions) => Promise<Journal>;

/** @throws EW_STORE_LOCKED, EW_STORE_VERSION, EW_STORE_WRITE, EW_STORE_DAMAGED; then that store has not been changed */
export async function repairStores(config: unknown, openJournal: OpenJournal): Promise<Repair> {
  const { journal, alerts, maxDeadLetterBytes } = storesOf(config);
  return [
    ...(await repairIfNeeded(journal, () => repairJournal(journal, maxDeadLetterBytes, openJournal))),
    ...(await repairIfNeeded(alerts, () => repairAlerts(alerts))),
  ];
}

async function repairIfNeeded(store: CollectorStore, repair: () => Promise<string[]>): Promise<string[]> {
  if ((await checkStore(store)).problems.length === 0) return [];
  const aside = await copyAside(store.which);
  await mendTables(store.which.directory, await faultyTables(store.which.directory));
  return [`${store.which.directory} was copied to ${aside} first.`, ...(await repair())];
}

async function repairJournal(
  { which }: CollectorStore,
  maxDeadLetterBytes: number,
  openJournal: OpenJournal,
): Promise<string[]> {
  const { directory } = which;
  await using journal = await openJournal({
    directory,
    ballastBytes: 0,
    maxDeadLetterBytes,
    clock: systemClock,
    log: silentLogger,
  });
  const bad = await badPositions(journal);
  if (bad.length > 0) {
    await journal.remove(bad);
    const list = bad.map(([from, through]) => (from === through ? from : `${from}-${through}`)).join(', ');
    const text = `Journal: blocks ${list} were unreadable and are removed; sinks that had not stored them never will.`;
    await journal.tell('damage', text.slice(0, 900), { from: bad[0]![0], through: bad.at(-1)![1] });
    return [...journal.damage, text];
  }
  return [...journal.damage];
}

async function badPositions(journal: Journal): Promise<RangeList> {
  const bad = new RangeSet();
  for (let next: number | null = 0; next !== null; ) {
    const page: Awaited<ReturnType<Journal['list']>> = await journal.list(next, 1000, true);
    for (const block of page.blocks) if ('problem' in block) bad.add(block.position);
    next = page.next;
  }
  return bad.toJSON();
}

async function repairAlerts({ which }: CollectorStore): Promise<string[]> {
  const store = await openStore({ ...which, log: silentLogger });
  try {
    const bad = await unreadableAlerts(store.db);
    const deletes = bad.map(key => ({ type: 'del' as const, key: Buffer.from(key, 'utf8') }));
    await store.db.batch(deletes, { sync: true });
    const copied =
      store.repairedFrom === undefined
        ? []
        : [`It had to be rebuilt by LevelDB; a copy is at ${store.repairedFrom}.`];
    const dropped = bad.length > 0 ? [`Dropped unreadable records: ${bad.join(', ')}.`] : [];
    return [...store.damage, ...copied, ...dropped];
  } finally {
    await store.close();
  }
}
