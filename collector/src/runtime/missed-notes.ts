import type { Note } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { Journal } from '../journal/journal.js';
import type { Tally } from './tally.js';

export interface MissedNotesOptions {
  readonly name: string;
  readonly journal: Journal;
  readonly log: Logger;
}

/** Counts and tells notes that a sink will never get. */
export function missedNotes({ name, journal, log }: MissedNotesOptions, tally: Tally) {
  return (feed: Note['feed'], count: number): void => {
    tally.notesMissed += count;
    log.error({ sink: name, feed, count }, 'a sink has missed notes');
    const why = 'they were given up while it lagged too far behind, or the disk has damaged them';
    const text = `Sink ${name} never gets ${count} notes of ${feed}s: ${why}.`;
    void journal.tell('journal', text, { sink: name, notes: count });
  };
}
