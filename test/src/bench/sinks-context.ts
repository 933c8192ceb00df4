import type { Workbench } from '../support/processes.js';
import type { Figure } from './figures.js';

export interface SinksContext {
  readonly bench: Workbench;
  /** Long enough for small differences, instead of a few minutes in all. */
  readonly full: boolean;
  readonly onProgress: (text: string) => void;
}

/** Rows of the table that are measured together. */
export type SinksSection = (context: SinksContext) => Promise<Figure[]>;
