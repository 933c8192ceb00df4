/** What the journal remembers beside its blocks, read at open. A record that is no good is told and done without. */
import type { Described } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { numberInKey, type Store } from '@edgeward/shared/store';
import { parseDescribed } from '@edgeward/shared/wire';
import { z } from 'zod';
import { reportSchema } from '../report.js';
import { Account, Accounts, accountSchema } from './accounts.js';
import { AppendPlan } from './append-plan.js';
import {
  blockEnd,
  blockKey,
  checkpointKey,
  goneKey,
  jsonRecords,
  parseJson,
  storedHeader,
} from './layout.js';
import { Received, ReceivedEpoch, receivedSchema } from './received.js';

const cursorSchema = z.object({
  position: z.number(),
  notes: z.record(z.string(), z.number()).optional(),
});
const savedReport = z.object({ report: reportSchema, heardMs: z.number() });
const ranges = z.array(z.tuple([z.number(), z.number()]));

/** By `feed/store`. */
export type NoteNumbers = Readonly<Record<string, number>>;

export interface Loaded {
  readonly received: Received;
  readonly accounts: Accounts;
  /** Position by consumer. */
  readonly cursors: Map<string, number>;
  readonly noteCursors: Map<string, NoteNumbers>;
  readonly schemas: Map<string, Described>;
  /** Positions that were removed, given up or lost, and told. */
  readonly gone: RangeSet;
  /** What was received through this position is on record; what blocks behind it tell is in `received`, too. */
  readonly checkpoint: number;
  /** The epochs that those blocks changed, as `gateway/epoch`. */
  readonly behind: ReadonlySet<string>;
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
  const noteCursors = new Map<string, NoteNumbers>();
  await each('c', cursorSchema, (key, { position, notes }) => {
    cursors.set(key, position);
    if (notes) noteCursors.set(key, notes);
  });
  const schemas = new Map<string, Described>();
  for await (const [key, json] of jsonRecords(store, 'q')) {
    const described = parseDescribed(json);
    if (described?.id === key) schemas.set(key, described);
    else garbage.push(`q${key}`);
  }
  const [gone, checkpoint] = [await loadPositions(store, goneKey), await loadCheckpoint(store)];
  const known = { received, accounts, cursors, noteCursors, schemas, gone, checkpoint, garbage };
  return { ...known, behind: await catchUp(store, known, checkpoint) };
}

/** @param key  of positions */
export async function loadPositions({ db }: Pick<Store, 'db'>, key: Buffer): Promise<RangeSet> {
  const value = await db.get(key);
  return new RangeSet(value && (ranges.safeParse(parseJson(value)).data ?? []));
}

async function loadCheckpoint({ db }: Pick<Store, 'db'>): Promise<number> {
  const value = await db.get(checkpointKey);
  const position = value && parseJson(value);
  return typeof position === 'number' ? position : 0;
}

function halves(key: string): [string, string] {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
}

/**
 * Takes what blocks behind a position tell of received ranges; what is known already does not count twice.
 * @returns the epochs that changed, as `gateway/epoch`
 */
export async function catchUp(
  { db }: Pick<Store, 'db'>,
  loaded: Pick<Loaded, 'received' | 'accounts' | 'schemas'>,
  after: number,
): Promise<Set<string>> {
  const changed = new Set<string>();
  for await (const [key, value] of db.iterator({ gt: blockKey(after), lt: blockEnd })) {
    try {
      const { gateway, outbox, header } = storedHeader(value);
      const described = loaded.schemas.get(header.schemaId);
      const plan = new AppendPlan(loaded.received, loaded.accounts);
      if (!described || !plan.take({ gateway, outbox, header }, described, numberInKey(key, 0))) continue;
      plan.apply();
      changed.add(`${gateway}/${header.epoch}`);
    } catch {
      // A block that is no good is told when a sink comes to it.
    }
  }
  return changed;
}

/** The last position anything speaks of. */
export function newestTold({
  received,
  cursors,
  gone,
  checkpoint = 0,
}: Pick<Loaded, 'received' | 'cursors' | 'gone'> & { readonly checkpoint?: number }): number {
  let newest = Math.max(checkpoint, ...cursors.values(), gone.toJSON().at(-1)?.[1] ?? 0);
  for (const gateway of received.gateways())
    for (const [, { position }] of received.epochs(gateway)) newest = Math.max(newest, position);
  return newest;
}
