/** The agent's side of an audit: its ledger and what it still holds, from the store of a stopped agent. */
import type { AgentSide, StoredOutbox } from '@edgeward/shared/audit/sides';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Marker } from '@edgeward/shared/store-marker';
import { openSnapshot, type StoreSnapshot } from '@edgeward/shared/store-snapshot';
import { type Recovered, recover } from '../outbox/recover.js';
import { storeOf } from './store-of.js';

const silent = { discrepancies: [], explained: [], unknown: [] };

export async function auditOutbox(config: unknown): Promise<AgentSide> {
  const { gateway, which } = storeOf(config);
  const { directory } = which;
  try {
    await using snapshot = await openSnapshot(which);
    if (!snapshot) return { ...silent, gateway, source: `there is no outbox in ${directory} yet` };
    return await stored(gateway, directory, snapshot);
  } catch (error) {
    if (!(error instanceof EdgewardError)) throw error;
    if (error.code === 'EW_STORE_LOCKED')
      return { ...silent, gateway, source: 'it runs, so its last report to the collector counts' };
    const unknown = [{ kind: 'outbox-unreadable', gateway, store: directory, reason: messageOf(error) }];
    return { ...silent, gateway, unknown, source: 'its outbox cannot be read: its last report counts' };
  }
}

async function stored(gateway: string, directory: string, snapshot: StoreSnapshot): Promise<AgentSide> {
  const { marker, db, damage } = snapshot;
  if (!marker) {
    const reason = `${directory}.json, which says whose store this is, is gone: edgeward fsck --repair`;
    const unknown = [{ kind: 'outbox-unreadable', gateway, store: directory, reason }];
    return { ...silent, gateway, unknown, source: 'its outbox cannot be identified: its last report counts' };
  }
  const found = await recover(db, marker.state === 'closed');
  return {
    ...silent,
    gateway,
    explained: damageOf(gateway, marker.id, damage, found),
    stored: outboxOf(marker, found),
    source: `read from its outbox ${directory}, ${found.epochs.blocks} blocks waiting`,
  };
}

/** Rows that the next start will count as damaged, as this audit does already. */
function damageOf(gateway: string, outbox: string, damage: readonly string[], { damaged }: Recovered) {
  const why = damage.length > 0 ? ` (${damage.join(' ')})` : '';
  return [...damaged].map(([device, count]) => ({
    kind: 'rows-damaged',
    gateway,
    outbox,
    device,
    count,
    reason: `lost to damage of the outbox on disk${why}; counted as damaged`,
  }));
}

function outboxOf(marker: Marker, found: Recovered): StoredOutbox {
  const { epochs, ledger, lastCommitMs, saved } = found;
  const names = new Map(epochs.all().map(({ counter, name }) => [counter, name]));
  const journal = saved.kept('journal');
  const isNamed = ({ epoch }: { readonly epoch: string }) => epoch !== '';
  return {
    id: marker.id,
    epoch: `${String(marker.starts + 1).padStart(9, '0')}-${'0'.repeat(16)}`,
    ...(typeof journal === 'string' && { journal }),
    endedCleanly: marker.state === 'closed',
    condensedThrough: ledger.condensedThrough,
    // Without its record nobody knows what an epoch was called; what was held of it has its own name.
    devices: ledger
      .report(counter => names.get(counter) ?? '')
      .map(device => ({ ...device, rows: device.rows.filter(isNamed), held: device.held.filter(isNamed) })),
    ...(lastCommitMs !== undefined && { lastCommitMs }),
  };
}
