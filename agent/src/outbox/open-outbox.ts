/** From a folder to what the outbox works with: waits for room, recovers, repairs, tells. */
import { randomBytes } from 'node:crypto';
import { isDiskFull } from '@edgeward/shared/disk-full';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Store } from '@edgeward/shared/store';
import { openMendedStore } from '@edgeward/shared/store-mend';
import { Core, type OutboxOptions } from './core.js';
import { tellLost } from './damage.js';
import { Epoch } from './epochs.js';
import { type Gap, gapAtStart, gapRecord } from './gap.js';
import { condensedKey, markerKey, outboxStoreVersion, type Put, packRecord, timePut } from './layout.js';
import { type Recovered, recover } from './recover.js';
import type { SavedRecords } from './saved-records.js';

/** An outbox is mostly written and deleted again: more would only fill a small box's memory. */
const writeBufferBytes = 1024 * 1024;
/** All that is mapped of a large backlog at a time: 64 MiB. */
const [maxOpenTables, tableBytes] = [64, 1024 * 1024];
const retryMs = 5000;
const maxDeletes = 4096;
/** So many starts are known in detail, and older ones as long as blocks are left of them. */
const detailedStarts = 32;
const never = new AbortController().signal;

export interface Opened {
  readonly core: Core;
  /** After a crash: from the last commit before it to this start, rows may have been read and not kept. */
  readonly gap: Gap | undefined;
  readonly saved: SavedRecords;
}

/** @throws EW_STORE_VERSION, EW_STORE_LOCKED, EW_STORE_WRITE */
export async function openOutbox(options: OutboxOptions): Promise<Opened> {
  const store = await openPatiently(options);
  try {
    const opened = await recoverInto(options, store);
    if (opened.core.epochs.bytes > maxOpenTables * tableBytes) await letGoOfTables(opened.core);
    return opened;
  } catch (error) {
    await store.db.close();
    throw error;
  }
}

/**
 * Whoever reads all of a large backlog has as much of it mapped as LevelDB allows, and it gives nothing back by itself.
 * A store that cannot be opened again just now is opened by whoever writes next.
 */
async function letGoOfTables({ store, options }: Core): Promise<void> {
  await store
    .reopen()
    .catch(error =>
      options.log.warn({ error: messageOf(error) }, 'the outbox could not be opened again yet'),
    );
}

/** A full disk is not damage and may be made room on; all else is told at once. */
async function openPatiently(options: OutboxOptions): Promise<Store> {
  const { directory, log, clock, ballast, stop = never, openStore: open = openMendedStore } = options;
  for (let told = false; ; ) {
    try {
      return await open({
        directory,
        kind: 'outbox',
        version: outboxStoreVersion,
        markerKey,
        writeBufferBytes,
        maxOpenTables,
        tableBytes,
        log,
      });
    } catch (error) {
      if (!isDiskFull(error) || stop.aborted) throw error;
      if (await ballast?.free().catch(() => false)) continue;
      if (!told)
        log.error(
          { directory, error: messageOf(error) },
          'the disk is full: waiting for room for the outbox',
        );
      told = true;
      await clock.sleep(retryMs, stop);
    }
  }
}

async function recoverInto(options: OutboxOptions, store: Store): Promise<Opened> {
  const found = await recover(store.db, store.closedCleanly);
  const { epochs, ledger, schemas, saved } = found;
  const name = `${String(store.starts).padStart(9, '0')}-${randomBytes(8).toString('hex')}`;
  const live = epochs.add(new Epoch(store.starts, name));
  const core = new Core(options, store, epochs, live, ledger, schemas, saved.n);
  for (const [source, position] of saved.positions()) core.records.positions.set(source, position);
  tell(core, found);
  const lastCommitMs = store.closedCleanly ? undefined : found.lastCommitMs;
  const gap = gapAtStart(saved.kept(gapRecord), lastCommitMs, options.clock.now());
  await repair(core, found, gap);
  return { core, gap, saved };
}

/**
 * What was found is saved, so that the next start need not find it again, and no note is needed any more. So is the
 * time: should this start be killed before it writes anything, the gap begins here.
 */
async function repair(core: Core, found: Recovered, gap: Gap | undefined): Promise<void> {
  const { saved, ledger, epochs } = found;
  const condensed = condense(core, found);
  if (saved.noted) {
    for (const device of ledger.devices()) ledger.dirty.add(device);
    for (const epoch of epochs.all()) epoch.dirty = epoch.rowsChanged = epoch !== core.live;
  }
  const deletes = [...found.deletes, ...condensed.deletes];
  core.records.nextCommit();
  const nothing = { rows: [], rejected: new Map() };
  const save = core.records.save({ all: true, withNoted: false, unsaved: nothing, storing: [] });
  const positions = saved.noted
    ? [...core.records.positions].map(([source, position]) => core.records.positionPut(source, position))
    : [];
  const untold = gap ? [core.records.keptPut(gapRecord, gap)] : [];
  const time = timePut(core.options.clock.now());
  const puts = [...save.puts, ...positions, ...condensed.puts, ...untold, time].map(put => ({
    type: 'put' as const,
    ...put,
  }));
  const dels = deletes.map(key => ({ type: 'del' as const, key }));
  try {
    await core.store.db.batch([...puts, ...dels.slice(0, maxDeletes)], { sync: true });
    for (let at = maxDeletes; at < dels.length; at += maxDeletes)
      await core.store.db.batch(dels.slice(at, at + maxDeletes), { sync: true });
  } catch (error) {
    throw new EdgewardError('EW_STORE_WRITE', messageOf(error), { cause: error });
  }
  save.done(false);
  for (const epoch of epochs.all()) epoch.rowsChanged = false;
}

/** Of old starts that nothing is left of, only the counts stay. */
function condense(core: Core, { saved }: Recovered): { puts: Put[]; deletes: Buffer[] } {
  const deletes: Buffer[] = [];
  for (const epoch of [...core.epochs.all()]) {
    if (core.epochs.all().length <= detailedStarts || epoch.blocks > 0 || epoch === core.live) break;
    deletes.push(...saved.keysOf(epoch.counter));
    core.ledger.condense(epoch.counter);
    core.epochs.remove(epoch);
  }
  if (!deletes.length) return { puts: [], deletes };
  const record = packRecord({ n: saved.n + 1, through: core.ledger.condensedThrough });
  return { puts: [{ key: condensedKey, value: record }], deletes };
}

function tell(core: Core, { lost, damaged, unreadable, saved, schemas }: Recovered): void {
  const { store } = core;
  if (store.movedTo !== undefined)
    core.notice({
      kind: 'damage',
      text: `The outbox could not be read and a new one was begun: what was not yet sent is in ${store.movedTo}.`,
      details: { movedTo: store.movedTo },
    });
  for (const [epoch, seqs] of lost) tellLost(core, epoch.name, seqs, new Map());
  const rows = [...damaged.values()].reduce((sum, n) => sum + n, 0);
  const records = saved.damaged + schemas.damaged;
  if (!rows && !unreadable && !records && !store.repairedFrom && !store.damage.length) return;
  const devices = [...damaged].map(([device, n]) => `${device}: ${n}`).join(', ');
  core.options.log.error({ rows, blocks: unreadable, records }, 'outbox lost data to damage on disk');
  core.notice({
    kind: 'damage',
    text: `The outbox was damaged on disk: ${rows} rows are lost${devices && ` (${devices})`}. ${store.damage.join(' ')}`
      .trim()
      .slice(0, 900),
    details: {
      rows,
      blocks: unreadable,
      records,
      devices: devices.slice(0, 400),
      copiedTo: store.repairedFrom ?? null,
    },
  });
}
