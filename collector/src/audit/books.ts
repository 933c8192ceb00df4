/** All that a journal remembers beside its blocks, as an audit needs it: from the store, or over HTTP as JSON. */
import type { AgentEvent, RangeList } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { z } from 'zod';
import { Account, Accounts, accountSchema } from '../journal/accounts.js';
import { type GoneSpans, goneSpans } from '../journal/gone-letters.js';
import type { Journal } from '../journal/journal.js';
import type { Loss } from '../journal/losses.js';
import { Received, ReceivedEpoch, receivedSchema } from '../journal/received.js';
import {
  type SinkBook,
  type SinkRecord,
  type SkippedRows,
  skippedSchema,
  startSchema,
} from '../journal/sink-book.js';
import { refusedRows, type SinkLetters } from '../journal/sink-letters.js';
import { reportSchema } from '../report.js';

export interface Refused {
  /** Row numbers in its dead letters, by `gateway/epoch` and device. */
  readonly rows: Readonly<Record<string, Readonly<Record<string, RangeList>>>>;
  /** Rows in letters that were deleted. */
  readonly deleted: number;
  /** Which, as far as they are known. */
  readonly deletedRows: GoneSpans;
}

export interface Books {
  readonly journal: string;
  /** The newest position; 0 = empty. */
  readonly position: number;
  /** Positions without a block. */
  readonly gone: RangeSet;
  readonly received: Received;
  readonly accounts: Accounts;
  /** Last position stored, by consumer. Without those that keep their own and are not running. */
  readonly cursors: ReadonlyMap<string, number>;
  /** By sink. */
  readonly lost: ReadonlyMap<string, Pick<Loss, 'blocks' | 'rows' | 'ranges'>>;
  /** By sink: what its server has refused. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** Where sinks began, and which rows are therefore not theirs; by sink. */
  readonly begun: ReadonlyMap<string, Begun>;
  /** Of the kinds that explain missing rows, oldest first. */
  readonly events: readonly Pick<AgentEvent, 'gateway' | 'epoch' | 'kind' | 'text'>[];
}

/** What a sink was not to have, or what the journal no longer had for it. */
export interface Begun {
  readonly start?: SinkRecord['start'];
  readonly skipped: SkippedRows;
}

const ranges = z.array(z.tuple([z.number(), z.number()]));
const explaining: readonly AgentEvent['kind'][] = ['gap', 'damage', 'dropped', 'thinned'];

const booksSchema = z.object({
  journal: z.string(),
  position: z.number(),
  gone: ranges,
  received: z.record(z.string(), receivedSchema),
  accounts: z.record(z.string(), accountSchema),
  reports: z.record(z.string(), z.object({ report: reportSchema, heardMs: z.number() })),
  cursors: z.record(z.string(), z.number()),
  lost: z.record(z.string(), z.object({ blocks: z.number(), rows: z.number(), ranges })),
  refused: z
    .record(
      z.string(),
      z.object({
        rows: z.record(z.string(), z.record(z.string(), ranges)),
        deleted: z.number(),
        deletedRows: goneSpans.default({}),
      }),
    )
    .default({}),
  begun: z
    .record(z.string(), z.object({ start: startSchema.optional(), skipped: skippedSchema }))
    .default({}),
  events: z.array(z.object({ gateway: z.string(), epoch: z.string(), kind: z.string(), text: z.string() })),
});

/** What travels. */
export interface BooksJson {
  readonly journal: string;
  readonly position: number;
  readonly gone: RangeList;
  readonly received: Readonly<Record<string, unknown>>;
  readonly accounts: Readonly<Record<string, unknown>>;
  readonly reports: Readonly<Record<string, unknown>>;
  readonly cursors: Readonly<Record<string, number>>;
  readonly lost: Readonly<Record<string, unknown>>;
  readonly refused: Readonly<Record<string, unknown>>;
  readonly begun: Readonly<Record<string, unknown>>;
  readonly events: Books['events'];
}

/** Of one instant: nothing is awaited. */
export function booksJson(
  { id, position, gone, received, accounts, losses, sinkLetters, sinkBook, eventLog }: Journal,
  cursors: Readonly<Record<string, number>>,
): BooksJson {
  return {
    journal: id,
    position,
    gone: gone.toJSON(),
    received: Object.fromEntries(receivedEntries(received)),
    accounts: Object.fromEntries(accountEntries(accounts).map(([key, account]) => [key, account.toJSON()])),
    reports: Object.fromEntries(
      accountEntries(accounts).flatMap(([key, { report, heardMs }]) =>
        report ? [[key, { report, heardMs }]] : [],
      ),
    ),
    cursors,
    lost: Object.fromEntries(losses.all()),
    refused: Object.fromEntries(refusedBySink(sinkLetters)),
    begun: Object.fromEntries(begunIn(sinkBook)),
    events: explainingEvents(eventLog.events),
  };
}

export function refusedBySink(letters: SinkLetters): Map<string, Refused> {
  const gone = letters.gone();
  const sinks = new Set([...letters.counts().keys(), ...gone.keys()]);
  const refused = (sink: string): Refused => {
    const { rows: deleted = 0, spans: deletedRows = {} } = gone.get(sink) ?? {};
    return { rows: refusedRows(letters.list(Number.POSITIVE_INFINITY, sink)), deleted, deletedRows };
  };
  return new Map([...sinks].map(sink => [sink, refused(sink)]));
}

/** Those of them that began later than the journal. */
export function begunIn(book: SinkBook): Map<string, Begun> {
  const begun = [...book.skipped()].map(([sink, skipped]): [string, Begun] => {
    const start = book.get(sink)?.start;
    return [sink, { ...(start && { start }), skipped }];
  });
  return new Map(begun);
}

export function explainingEvents(events: readonly AgentEvent[]): Books['events'] {
  return events
    .filter(({ kind }) => explaining.includes(kind))
    .map(({ gateway, epoch, kind, text }) => ({ gateway, epoch, kind, text }));
}

/** @throws ZodError for anything else */
export function parseBooks(json: unknown): Books {
  const { received, accounts, reports, ...books } = booksSchema.parse(json);
  const own = { received: new Received(), accounts: new Accounts() };
  for (const [key, value] of Object.entries(received))
    own.received.set(...halves(key), ReceivedEpoch.fromJSON(value));
  for (const [key, value] of Object.entries(accounts)) own.accounts.add(new Account(...halves(key), value));
  for (const [key, value] of Object.entries(reports)) Object.assign(own.accounts.open(...halves(key)), value);
  return {
    ...own,
    journal: books.journal,
    position: books.position,
    gone: new RangeSet(books.gone),
    cursors: new Map(Object.entries(books.cursors)),
    lost: new Map(Object.entries(books.lost)),
    refused: new Map(Object.entries(books.refused)),
    begun: new Map(Object.entries(books.begun)) as Books['begun'],
    events: books.events as Books['events'],
  };
}

function* receivedEntries(received: Received): Generator<[string, unknown]> {
  for (const gateway of received.gateways())
    for (const [epoch, one] of received.epochs(gateway)) yield [`${gateway}/${epoch}`, one.toJSON()];
}

function accountEntries(accounts: Accounts): [string, Account][] {
  return [...accounts.gateways()].flatMap(gateway =>
    [...accounts.of(gateway)].map(([outbox, account]): [string, Account] => [
      `${gateway}/${outbox}`,
      account,
    ]),
  );
}

function halves(key: string): [string, string] {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
}
