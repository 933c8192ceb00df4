/** What the journal remembers beside its blocks, read at open. A record that is no good is told and done without. */
import type { Described } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Store } from '@edgeward/shared/store';
import { namedRows, parseDescribed } from '@edgeward/shared/wire';
import { z } from 'zod';
import { reportSchema } from '../report.js';
import { Account, Accounts, accountSchema } from './accounts.js';
import { blockEnd, blockKey, goneKey, jsonRecords, parseJson, storedHeader } from './layout.js';
import { Received, ReceivedEpoch, receivedSchema } from './received.js';

const cursorSchema = z.object({ position: z.number() });
const savedReport = z.object({ report: reportSchema, heardMs: z.number() });
const ranges = z.array(z.tuple([z.number(), z.number()]));

export interface Loaded {
  readonly received: Received;
  readonly accounts: Accounts;
  /** Position by consumer. */
  readonly cursors: Map<string, number>;
  readonly schemas: Map<string, Described>;
  /** Positions that were removed, given up or lost, and told. */
  readonly gone: RangeSet;
  /** Keys of records that are no good. */
  readonly garbage: string[];
}

export async function load(store: Pick<Store, 'db'>): Promise<Loaded> {
  const garbage: string[] = [];
  const each = async <T>(prefix: string, schema: z.ZodType<T>, use: (key: string, value: T) => void) => {
    for await (const [key, json] of jsonRecords(store, prefix)) {
      const { data } = schema.safeParse(json);
      if (data === undefined) garbage.push(`${prefix}${key}`);
      else use(key, data);
    }
  };
  const [received, accounts, cursors] = [new Received(), new Accounts(), new Map<string, number>()];
  await each('r', receivedSchema, (key, json) => {
    const [gateway, epoch] = halves(key);
    received.set(gateway, epoch, ReceivedEpoch.fromJSON(json));
  });
  await each('a', accountSchema, (key, json) => accounts.add(new Account(...halves(key), json)));
  await each('g', savedReport, (key, { report, heardMs }) =>
    Object.assign(accounts.open(...halves(key)), { report, heardMs }),
  );
  await each('c', cursorSchema, (key, { position }) => cursors.set(key, position));
  const schemas = new Map<string, Described>();
  for await (const [key, json] of jsonRecords(store, 'q')) {
    const described = parseDescribed(json);
    if (described?.id === key) schemas.set(key, described);
    else garbage.push(`q${key}`);
  }
  return { received, accounts, cursors, schemas, gone: await loadGone(store), garbage };
}

async function loadGone({ db }: Pick<Store, 'db'>): Promise<RangeSet> {
  const value = await db.get(goneKey);
  return new RangeSet(value && (ranges.safeParse(parseJson(value)).data ?? []));
}

function halves(key: string): [string, string] {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
}

/** Makes good, from the blocks that are there, what received ranges were lost. */
export async function rebuild({ db }: Store, { received, schemas, accounts }: Loaded): Promise<void> {
  for await (const [key, value] of db.iterator({ gte: blockKey(0), lt: blockEnd })) {
    try {
      const { gateway, header } = storedHeader(value);
      const described = schemas.get(header.schemaId);
      const outbox = accounts.current(gateway)?.outbox ?? '';
      const epoch = received.get(gateway, header.epoch) ?? new ReceivedEpoch(outbox);
      received.set(gateway, header.epoch, epoch);
      if (described && !epoch.seqs.has(header.seq))
        for (const { device, ...span } of namedRows(header.devices, described)) epoch.addRows(device, span);
      epoch.seqs.add(header.seq);
      epoch.position = Math.max(epoch.position, Number(key.readBigUInt64BE(1)));
    } catch {
      // A block that is no good is told when a sink comes to it.
    }
  }
}

/** The last position anything speaks of. */
export function newestTold({
  received,
  cursors,
  gone,
}: Pick<Loaded, 'received' | 'cursors' | 'gone'>): number {
  let newest = Math.max(0, ...cursors.values(), gone.toJSON().at(-1)?.[1] ?? 0);
  for (const gateway of received.gateways())
    for (const [, { position }] of received.epochs(gateway)) newest = Math.max(newest, position);
  return newest;
}
