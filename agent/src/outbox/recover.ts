import type { DeviceRows } from '@edgeward/shared/batch';
import type { Described } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { numberInKey, numberKey, type StoreDatabase } from '@edgeward/shared/store';
import { namedRows, readHeader } from '@edgeward/shared/wire';
import { HeldBlocks } from './held.js';
import { LedgerChanges, type OutboxLedger } from './ledger.js';

export interface Recovered {
  readonly held: HeldBlocks;
  /** Rows that the ledger says were kept and that are no longer there, and blocks that fail their checksum. */
  readonly changes: LedgerChanges;
  readonly damagedRows: number;
  readonly damagedKeys: readonly Buffer[];
}

/**
 * Reads every block left from earlier starts and checks it. LevelDB can lose records in the middle and still
 * open "OK", so what is found is held against what the ledger says must be there.
 */
export async function recover(
  db: StoreDatabase,
  ledger: OutboxLedger,
  schemas: ReadonlyMap<string, Described>,
  log: Logger,
): Promise<Recovered> {
  const held = new HeldBlocks();
  const damagedKeys: Buffer[] = [];
  const rowsFound = new Map<string, number>();
  for await (const [key, value] of db.iterator({ gte: numberKey('b', 0, 0), lt: Buffer.from('c') })) {
    const devices = addBlock(held, schemas, key, value);
    if (!devices) damagedKeys.push(key);
    for (const { device, count } of devices ?? [])
      rowsFound.set(device, (rowsFound.get(device) ?? 0) + count);
  }
  const changes = new LedgerChanges();
  let damagedRows = 0;
  for (const device of ledger.devices()) {
    const { read, released, rejected, thinned, dropped, damaged } = ledger.of(device);
    const gone = read - released - rejected - thinned - dropped - damaged - (rowsFound.get(device) ?? 0);
    if (gone <= 0) continue;
    changes.add(device, 'damaged', gone);
    damagedRows += gone;
  }
  if (damagedRows || damagedKeys.length) {
    log.error(
      { rows: damagedRows, blocks: damagedKeys.length },
      'outbox lost data to damage on disk; counted as damaged',
    );
  }
  return { held, changes, damagedRows, damagedKeys };
}

function addBlock(
  held: HeldBlocks,
  schemas: ReadonlyMap<string, Described>,
  key: Buffer,
  value: Buffer,
): readonly DeviceRows[] | undefined {
  try {
    const header = readHeader(value);
    const described = schemas.get(header.schemaId);
    if (!described) return undefined;
    const devices = namedRows(header.devices, described);
    held.add({
      described,
      epoch: header.epoch,
      counter: numberInKey(key, 0),
      seq: header.seq,
      size: value.length,
      devices,
      atMs: header.atMs,
      sent: true, // an earlier start may have sent it
      journaled: false,
    });
    return devices;
  } catch {
    return undefined;
  }
}
