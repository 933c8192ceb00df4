/** Checks an outbox record by record, in a copy: nothing of it is changed. */
import type { Finding } from '@edgeward/shared/audit/finding';
import type { StoreCheck } from '@edgeward/shared/audit/sides';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { isLevelError, numberInKey, type StoreDatabase } from '@edgeward/shared/store';
import { openSnapshot, type StoreSnapshot } from '@edgeward/shared/store-snapshot';
import { decodeBlock } from '@edgeward/shared/wire';
import { blockKey, endOfBlocks, parseRecord, type RecordKind, recordSchemas } from '../outbox/layout.js';
import { openValue } from '../outbox/reader.js';
import { type Recovered, recover } from '../outbox/recover.js';
import { storeOf } from './store-of.js';

/** @throws EW_STORE_LOCKED, EW_STORE_VERSION, EW_STORE_WRITE */
export async function checkStores(config: unknown): Promise<StoreCheck> {
  const { which } = storeOf(config);
  const store = which.directory;
  try {
    await using snapshot = await openSnapshot(which);
    if (!snapshot) return { problems: [], seen: [`${store}: there is no store yet`] };
    return await check(store, snapshot);
  } catch (error) {
    if (!hasCode(error, 'EW_STORE_DAMAGED') && !isLevelError(error)) throw error;
    return { problems: [{ kind: 'store-unopenable', store, reason: messageOf(error) }], seen: [] };
  }
}

async function check(store: string, { db, marker, damage }: StoreSnapshot): Promise<StoreCheck> {
  const found = await recover(db, marker?.state === 'closed');
  const blocks = await checkBlocks(store, db, found);
  const records = await unreadableRecords(db);
  const problems: Finding[] = [
    ...(marker
      ? []
      : [{ kind: 'marker-lost', store, reason: `its marker ${store}.json is gone or unreadable` }]),
    ...damage.map(reason => ({ kind: 'store-damage', store, reason })),
    ...records.map(({ name }) => ({
      kind: 'record-unreadable',
      store,
      reason: `record ${name} is unreadable`,
    })),
    ...blocks.problems,
    ...missing(store, found, blocks.bad),
    ...[...found.damaged].map(([device, count]) => ({
      kind: 'rows-damaged',
      store,
      device,
      count,
      reason: 'the ledger has them as held and they are not there',
    })),
  ];
  return { problems, seen: [`${store}: ${blocks.count} blocks`] };
}

/** Records beside the blocks that are no good, schemas included. */
export async function unreadableRecords(db: StoreDatabase): Promise<{ key: Buffer; name: string }[]> {
  const bad: { key: Buffer; name: string }[] = [];
  for (const kind of Object.keys(recordSchemas) as RecordKind[]) {
    const range = { gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) };
    for await (const [key, value] of db.iterator(range))
      if (!parseRecord(kind, value)) bad.push({ key, name: nameOf(kind, key) });
  }
  return bad;
}

function nameOf(kind: RecordKind, key: Buffer): string {
  if (kind === 'e' || kind === 'o') return `${kind}${key.length < 9 ? '' : numberInKey(key, 0)}`;
  if (kind === 'r') return `r${key.length < 9 ? '' : numberInKey(key, 0)}/${key.toString('utf8', 9)}`;
  return key.toString('utf8');
}

interface Blocks {
  readonly count: number;
  /** Seqs by start counter. */
  readonly bad: ReadonlyMap<number, RangeSet>;
  readonly problems: readonly Finding[];
}

async function checkBlocks(
  store: string,
  db: StoreDatabase,
  { schemas, epochs }: Recovered,
): Promise<Blocks> {
  const bad = new Map<number, RangeSet>();
  const reasons = new Map<number, string>();
  let count = 0;
  for await (const [key, value] of db.iterator({ gte: blockKey(0, 0), lt: endOfBlocks, fillCache: false })) {
    const [counter, seq] = [numberInKey(key, 0), numberInKey(key, 1)];
    count += 1;
    const problem = problemOf(value, counter, seq, id => schemas.get(id));
    if (problem === undefined) continue;
    getOrMake(bad, counter, () => new RangeSet()).add(seq);
    if (!reasons.has(counter)) reasons.set(counter, problem);
  }
  const names = new Map(epochs.all().map(epoch => [epoch.counter, epoch.name]));
  const problems = [...bad].map(([counter, seqs]) => ({
    kind: 'blocks-unreadable',
    store,
    epoch: names.get(counter) ?? String(counter),
    seqs: seqs.toJSON(),
    reason: `${seqs.count} unreadable blocks; the first: ${reasons.get(counter)}`,
  }));
  return { count, bad, problems };
}

type DescribedOf = Parameters<typeof decodeBlock>[1];

function problemOf(
  value: Buffer,
  counter: number,
  seq: number,
  describedOf: DescribedOf,
): string | undefined {
  const block = openValue(value, describedOf);
  try {
    if (!block) return 'its checksum does not fit, or its schema is lost';
    const { header } = decodeBlock(block.bytes, describedOf);
    const fits = header.seq === seq && Number.parseInt(header.epoch, 10) === counter;
    return fits ? undefined : `it is block ${header.seq} of epoch ${header.epoch}`;
  } catch (error) {
    return messageOf(error);
  }
}

function missing(store: string, { lost }: Recovered, bad: ReadonlyMap<number, RangeSet>): Finding[] {
  return [...lost].flatMap(([{ counter, name }, seqs]) => {
    const gone = seqs.clone();
    gone.removeAll(bad.get(counter) ?? new RangeSet());
    if (gone.isEmpty) return [];
    const reason = `${gone.count} blocks are missing: the record of their epoch has them as stored`;
    return [{ kind: 'blocks-missing', store, epoch: name, seqs: gone.toJSON(), reason }];
  });
}
