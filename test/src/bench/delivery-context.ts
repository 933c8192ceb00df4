import type { Workbench } from '../support/processes.js';
import type { Figure } from './figures.js';

export interface DeliveryContext {
  readonly bench: Workbench;
  /** Long enough for small differences, instead of a few minutes in all. */
  readonly full: boolean;
  /** Folder of the SKAB data; undefined = left out. */
  readonly skab: string | undefined;
}

/** Rows of the table that are measured together. */
export type Section = (context: DeliveryContext) => Promise<Figure[]>;

export function sleep(seconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, seconds * 1000));
}

/** What it is called in a note. */
export const thousands = (n: number) => n.toLocaleString('en');
