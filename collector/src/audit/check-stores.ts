/** Checks the journal and the store of incidents record by record, in copies: nothing of them is changed. */
import path from 'node:path';
import type { Finding } from '@edgeward/shared/audit/finding';
import type { StoreCheck } from '@edgeward/shared/audit/sides';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import type { StoreDatabase } from '@edgeward/shared/store';
import { openSnapshot, type StoreSnapshot } from '@edgeward/shared/store-snapshot';
import { z } from 'zod';
import { alertStoreVersion } from '../alerts/alert-store.js';
import { EventLog } from '../journal/event-log.js';
import { journalStoreVersion, lastNumber, parseJson } from '../journal/layout.js';
import { load, newestTold } from '../journal/load.js';
import { Losses } from '../journal/losses.js';
import { listBlocks } from './block-list.js';
import { explainingEvents } from './books.js';
import { Walk } from './walk.js';

const partOfConfig = z.object({ dataDir: z.string(), journal: z.object({ maxDeadLetterBytes: z.number() }) });

export interface CollectorStore {
  readonly which: { readonly directory: string; readonly kind: string; readonly version: number };
  readonly check: (store: string, snapshot: StoreSnapshot) => Promise<StoreCheck>;
}

/** Where a checked collector configuration has its stores. */
export function storesOf(config: unknown) {
  const { dataDir, journal } = partOfConfig.parse(config);
  const which = (name: string, kind: string, version: number) => ({
    directory: path.join(dataDir, name),
    kind,
    version,
  });
  return {
    journal: { which: which('journal', 'journal', journalStoreVersion), check: checkJournal },
    alerts: { which: which('alerts', 'incidents', alertStoreVersion), check: checkAlerts },
    maxDeadLetterBytes: journal.maxDeadLetterBytes,
  };
}

/** @throws EW_STORE_LOCKED, EW_STORE_VERSION, EW_STORE_WRITE */
export async function checkStores(config: unknown): Promise<StoreCheck> {
  const { journal, alerts } = storesOf(config);
  const checks = [await checkStore(journal), await checkStore(alerts)];
  return { problems: checks.flatMap(({ problems }) => problems), seen: checks.flatMap(({ seen }) => seen) };
}

export async function checkStore({ which, check }: CollectorStore): Promise<StoreCheck> {
  const store = which.directory;
  try {
    await using snapshot = await openSnapshot(which);
    if (!snapshot) return { problems: [], seen: [`${store}: there is no store yet`] };
    const { problems, seen } = await check(store, snapshot);
    return { problems: [...ofStore(store, snapshot), ...problems], seen };
  } catch (error) {
    if (!hasCode(error, 'EW_STORE_DAMAGED')) throw error;
    return { problems: [{ kind: 'store-unopenable', store, reason: messageOf(error) }], seen: [] };
  }
}

function ofStore(store: string, { marker, damage }: StoreSnapshot): Finding[] {
  const reason = `its marker ${store}.json is gone or unreadable`;
  return [
    ...(marker ? [] : [{ kind: 'marker-lost', store, reason }]),
    ...damage.map(one => ({ kind: 'store-damage', store, reason: one })),
  ];
}

async function checkJournal(store: string, { db }: StoreSnapshot): Promise<StoreCheck> {
  const { received, accounts, cursors, gone, schemas, garbage } = await load({ db });
  const position = Math.max(await lastNumber(db, 'd'), newestTold({ received, cursors, gone }));
  const lost = (await Losses.load({ db })).all();
  const events = explainingEvents((await EventLog.load({ db })).events);
  const none = { refused: new Map(), begun: new Map() };
  const books = { journal: '', position, gone, received, accounts, cursors, lost, ...none, events };
  const found = await new Walk(books, []).run(listBlocks(db, id => schemas.get(id), 0, true));
  const problems = garbage.map(key => ({
    kind: 'record-unreadable',
    store,
    reason: `record ${key} is unreadable`,
  }));
  return {
    problems: [...problems, ...found.map(finding => ({ ...finding, store }))],
    seen: [`${store}: positions to ${position}`],
  };
}

async function checkAlerts(store: string, { db }: StoreSnapshot): Promise<StoreCheck> {
  const bad = await unreadableAlerts(db);
  const problems = bad.map(key => ({
    kind: 'record-unreadable',
    store,
    reason: `record ${key} is unreadable`,
  }));
  return { problems, seen: [`${store}: incidents and mails`] };
}

/** Keys of values that are no JSON. */
export async function unreadableAlerts(db: StoreDatabase): Promise<string[]> {
  const bad: string[] = [];
  for await (const [key, value] of db.iterator())
    if (parseJson(value) === undefined) bad.push(key.toString('utf8'));
  return bad;
}
