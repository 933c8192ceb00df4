/** Repairs an outbox with the code that the agent itself starts with, after a copy has been put aside. */
import type { Repair } from '@edgeward/shared/audit/sides';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { isLevelError, type StoreDatabase, salvage } from '@edgeward/shared/store';
import { copyAside } from '@edgeward/shared/store-snapshot';
import { faultyTables, mendTables } from '@edgeward/shared/store-tables';
import type { Notice } from '../outbox/core.js';
import { lastCommitKey } from '../outbox/layout.js';
import { openOutbox } from '../outbox/open-outbox.js';
import { checkStores, unreadableRecords } from './check-outbox.js';
import { storeOf } from './store-of.js';

/** @throws EW_STORE_LOCKED, EW_STORE_VERSION, EW_STORE_WRITE, EW_STORE_DAMAGED; then nothing has been changed */
export async function repairStores(config: unknown): Promise<Repair> {
  const { gateway, outbox, which } = storeOf(config);
  const { directory } = which;
  const { problems } = await checkStores(config);
  const aside = await copyAside(which);
  await mendTables(directory, await faultyTables(directory));
  const notices: Notice[] = [];
  const open = () =>
    openOutbox({
      directory,
      gateway,
      ...outbox,
      clock: systemClock,
      log: silentLogger,
      onEvent: notice => notices.push(notice),
      stop: AbortSignal.abort(), // a full disk is said, not waited for
    });
  const { core, gap } = await open().catch(async error => {
    if (!isLevelError(error)) throw error;
    await salvage(directory);
    return open();
  });
  try {
    await dropUnreadable(core.store.db);
    if (gap) await leaveGap(core.store.db, gap.fromMs);
  } finally {
    await (core.store.closedCleanly ? core.store.close() : core.store.db.close());
  }
  const dropped = problems.filter(({ kind }) => kind === 'record-unreadable').map(({ reason }) => reason);
  return [
    `${directory} was copied to ${aside} first.`,
    ...notices.map(({ text }) => text),
    ...(dropped.length > 0 ? [`Dropped or written anew: ${dropped.join(', ')}.`] : []),
  ];
}

async function dropUnreadable(db: StoreDatabase): Promise<void> {
  const keys = (await unreadableRecords(db)).map(({ key }) => key);
  await db.batch(
    keys.map(key => ({ type: 'del' as const, key })),
    { sync: true },
  );
}

/** After a crash the next start must find one, and tell from when on rows may be missing: not from this repair on. */
async function leaveGap(db: StoreDatabase, fromMs: number): Promise<void> {
  const value = Buffer.alloc(8);
  value.writeDoubleLE(fromMs);
  await db.batch([{ type: 'put', key: lastCommitKey, value }], { sync: true });
}
