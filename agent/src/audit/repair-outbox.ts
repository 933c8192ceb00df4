/** Repairs an outbox with the code that the agent itself starts with, after a copy has been put aside. */
import type { Repair } from '@edgeward/shared/audit/sides';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { copyAside } from '@edgeward/shared/store-snapshot';
import type { Notice } from '../outbox/core.js';
import { openOutbox } from '../outbox/open-outbox.js';
import { unreadableRecords } from './check-outbox.js';
import { storeOf } from './store-of.js';

/** @throws EW_STORE_LOCKED, EW_STORE_VERSION, EW_STORE_WRITE, EW_STORE_DAMAGED; then nothing has been changed */
export async function repairStores(config: unknown): Promise<Repair> {
  const { gateway, outbox, which } = storeOf(config);
  const { directory } = which;
  const aside = await copyAside(which);
  const notices: Notice[] = [];
  const { core } = await openOutbox({
    directory,
    gateway,
    maxBytes: outbox.maxBytes,
    whenFull: outbox.whenFull,
    clock: systemClock,
    log: silentLogger,
    onEvent: notice => notices.push(notice),
    stop: AbortSignal.abort(), // a full disk is said, not waited for
  });
  try {
    const dropped = await unreadableRecords(core.store.db);
    await core.store.db.batch(
      dropped.map(({ key }) => ({ type: 'del' as const, key })),
      { sync: true },
    );
    // After a crash the next start must still find one: it tells of the time that rows may be missing of.
    await (core.store.closedCleanly ? core.store.close() : core.store.db.close());
    return [
      `${directory} was copied to ${aside} first.`,
      ...notices.map(({ text }) => text),
      ...(dropped.length > 0 ? [`Dropped unreadable records: ${dropped.map(({ name }) => name).join(', ')}.`] : []),
    ];
  } catch (error) {
    await core.store.db.close();
    throw error;
  }
}
