/** Reads a journal for an audit: a running collector's over HTTP, a stopped one's from its store. */
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import { EdgewardError, hasCode, messageOf } from '@edgeward/shared/errors';
import { openSnapshot, type StoreSnapshot } from '@edgeward/shared/store-snapshot';
import { type ApiPlace, credentials, urlOf } from '../api-client.js';
import { EventLog } from '../journal/event-log.js';
import { journalStoreVersion, lastNumber } from '../journal/layout.js';
import { load, newestTold } from '../journal/load.js';
import { Losses } from '../journal/losses.js';
import { SinkBook } from '../journal/sink-book.js';
import { SinkLetters } from '../journal/sink-letters.js';
import { type BadBlock, type BlockPage, blockPage, type ListedBlock, listBlocks } from './block-list.js';
import { type Books, begunIn, explainingEvents, parseBooks, refusedBySink } from './books.js';

export interface JournalReader extends AsyncDisposable {
  readonly books: Books;
  /** What is broken, in sentences. */
  readonly damage: readonly string[];
  readonly source: string;
  blocks(after: number): AsyncIterable<ListedBlock | BadBlock>;
}

export interface JournalPlace {
  readonly dataDir: string;
  readonly api: ApiPlace;
}

/**
 * @returns undefined if there is no journal yet
 * @throws EW_STORE_LOCKED if the collector runs and does not answer; EW_STORE_VERSION, EW_STORE_DAMAGED, EW_STORE_WRITE
 */
export async function openJournalReader(place: JournalPlace): Promise<JournalReader | undefined> {
  const directory = path.join(place.dataDir, 'journal');
  let snapshot: StoreSnapshot | undefined;
  try {
    snapshot = await openSnapshot({ directory, kind: 'journal', version: journalStoreVersion });
  } catch (error) {
    if (hasCode(error, 'EW_STORE_LOCKED')) return readOverHttp(place, directory);
    throw error;
  }
  return snapshot && readStore(directory, snapshot);
}

async function readStore(directory: string, snapshot: StoreSnapshot): Promise<JournalReader> {
  const { db, marker, damage } = snapshot;
  const loaded = await load(snapshot);
  const position = Math.max(await lastNumber(db, 'd'), newestTold(loaded));
  const { received, accounts, cursors, gone, schemas, garbage } = loaded;
  const lost = (await Losses.load(snapshot)).all();
  const described = (id: string) => schemas.get(id);
  const letters = await SinkLetters.load({ store: snapshot, maxBytes: 0, described, clock: systemClock });
  const bySink = {
    lost,
    refused: refusedBySink(letters),
    begun: begunIn(await SinkBook.load(snapshot, cursors)),
  };
  const events = explainingEvents((await EventLog.load(snapshot)).events);
  return {
    books: { journal: marker?.id ?? '', position, gone, received, accounts, cursors, ...bySink, events },
    damage: [...damage, ...garbage.map(key => `Record ${key} is unreadable.`)],
    source: `collector: read from its journal ${directory}`,
    blocks: after => listBlocks(db, id => schemas.get(id), after),
    [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
  };
}

async function readOverHttp({ api }: JournalPlace, directory: string): Promise<JournalReader> {
  const url = urlOf(api);
  const headers = await credentials(api, 'audit');
  const ask = (what: string) => askFor(url, what, headers, directory);
  return {
    books: parseBooks(await ask('/api/audit')),
    damage: [],
    source: `collector: asked at ${url}, since it runs`,
    blocks: after => pages(after, from => ask(`/api/audit/blocks?after=${from}`)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function* pages(
  after: number,
  ask: (after: number) => Promise<unknown>,
): AsyncGenerator<ListedBlock | BadBlock> {
  for (let next: number | null = after; next !== null; ) {
    const page: BlockPage = blockPage.parse(await ask(next));
    yield* page.blocks;
    next = page.next;
  }
}

const timeoutMs = 60_000;

async function askFor(
  url: string,
  what: string,
  headers: Record<string, string>,
  directory: string,
): Promise<unknown> {
  try {
    const answer = await fetch(`${url}${what}`, { headers, signal: AbortSignal.timeout(timeoutMs) });
    if (answer.ok) return await answer.json();
    throw new Error(`status ${answer.status}`);
  } catch (error) {
    const cause = error instanceof Error && error.cause ? `: ${messageOf(error.cause)}` : '';
    throw new EdgewardError(
      'EW_STORE_LOCKED',
      `${directory} is in use, and ${url}${what} does not answer (${messageOf(error)}${cause}): check api.host, api.port and api.password, or stop the collector.`,
      { cause: error },
    );
  }
}
