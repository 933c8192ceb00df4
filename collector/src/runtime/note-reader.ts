import type { Cursor, Note } from '@edgeward/shared/contracts';
import type { NoteFeed } from '../notes/feed.js';

type Numbers = Readonly<Record<string, number>>;

/** Follows the feeds of notes on behalf of one consumer. */
export class NoteReader {
  readonly #feeds: readonly NoteFeed[];
  readonly #onMissed: (feed: Note['feed'], count: number) => void;
  /** Number of the last note that it has stored, by `feed/store`. */
  readonly #at = new Map<string, number>();

  /**
   * @param feeds     none for a sink that takes no notes
   * @param onMissed  told of notes between those it had and those it gets next, which its feed no longer has
   */
  constructor(feeds: readonly NoteFeed[], onMissed: (feed: Note['feed'], count: number) => void) {
    this.#feeds = feeds;
    this.#onMissed = onMissed;
  }

  /**
   * Before the first reading.
   * @param sinceMs  of a feed that the cursor does not know, what came before is left out
   */
  async begin({ notes = {} }: Pick<Cursor, 'notes'>, sinceMs: number | undefined): Promise<void> {
    this.#at.clear();
    for (const [key, number] of Object.entries(notes)) this.#at.set(key, number);
    if (sinceMs === undefined) return;
    for (const feed of this.#feeds)
      if (!this.#at.has(keyOf(feed))) this.#at.set(keyOf(feed), await lastBefore(feed, sinceMs));
  }

  /** How many it has yet to store, at most. */
  get behind(): number {
    return this.#feeds.reduce((sum, feed) => sum + Math.max(0, feed.last - this.passedOf(feed)), 0);
  }

  /** Number of the last note of a feed that it has stored. */
  passedOf(feed: NoteFeed): number {
    return this.#at.get(keyOf(feed)) ?? 0;
  }

  /** What comes next, feed by feed, at most so many. @throws what the feeds throw */
  async read(most: number): Promise<Note[]> {
    const notes: Note[] = [];
    for (const feed of this.#feeds) {
      const { last } = feed;
      if (last <= this.passedOf(feed) || notes.length >= most) continue;
      const found = await feed.read(this.passedOf(feed), most - notes.length);
      notes.push(...found);
      // What was given up is nobody's to wait for.
      if (found.length === 0) this.#moveTo(feed, last, last);
    }
    return notes;
  }

  /** The cursor once these are stored, too; undefined = it has never had to do with notes. */
  with(notes: readonly Note[]): Numbers | undefined {
    if (this.#at.size + notes.length === 0) return undefined;
    const at = new Map(this.#at);
    for (const note of notes) at.set(`${note.feed}/${note.store}`, note.number);
    return Object.fromEntries(at);
  }

  /** They are stored. */
  take(notes: readonly Note[]): void {
    for (const note of notes) this.#moveTo(note, note.number, note.number - 1);
  }

  /** @param missing  through here from where it was, nothing has come; of a feed that it begins with nothing is missed */
  #moveTo(feed: Pick<NoteFeed, 'feed' | 'store'>, number: number, missing: number): void {
    const key = keyOf(feed);
    const count = missing - (this.#at.get(key) ?? missing);
    this.#at.set(key, number);
    if (count > 0) this.#onMissed(feed.feed, count);
  }

  /** Tells when there is more. @returns what ends it */
  onMore(listener: () => void): () => void {
    const ends = this.#feeds.map(feed => feed.onMore(listener));
    return () => {
      for (const end of ends) end();
    };
  }
}

export function keyOf({ feed, store }: Pick<NoteFeed, 'feed' | 'store'>): string {
  return `${feed}/${store}`;
}

const pageNotes = 1000;

async function lastBefore(feed: NoteFeed, ms: number): Promise<number> {
  for (let at = 0; ; ) {
    const page = await feed.read(at, pageNotes);
    const first = page.find(({ atMs }) => atMs >= ms);
    if (first) return first.number - 1;
    if (page.length < pageNotes) return page.at(-1)?.number ?? at;
    at = page.at(-1)!.number;
  }
}
