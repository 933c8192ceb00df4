import type { ReaderLag } from '@edgeward/shared/contracts';
import type { LetterCount } from '../journal/letter-shelf.js';
import type { TallyView } from './tally.js';
import type { FailureView } from './trouble.js';

/**
 * retrying: it failed and is tried again; failing: it failed so often that only little is tried; denied: somebody has to
 * change something.
 */
export type ConsumerState = 'opening' | 'running' | 'retrying' | 'failing' | 'denied' | 'paused' | 'stopped';

export interface ConsumerView extends TallyView {
  readonly name: string;
  readonly state: ConsumerState;
  /** The last position it has stored. */
  readonly position: number;
  readonly lag: {
    readonly blocks: number;
    /** About, but for those in hand. */
    readonly rows: number;
    /** Age of the oldest block it has yet to store, to a quarter of a second; 0 = none. */
    readonly seconds: number;
    readonly notes: number;
  };
  readonly failure: FailureView | null;
  /** In its dead letters. */
  readonly letters: LetterCount;
  /** Rows that were refused since the start. */
  readonly refusedRows: number;
  /** Who reads what it has stored. */
  readonly readers: readonly ReaderLag[];
}

/** What became of a dead letter that was tried again. */
export interface Replayed {
  readonly id: string;
  readonly stored: boolean;
  /** Why it is not; null = it is. */
  readonly reason: string | null;
}
