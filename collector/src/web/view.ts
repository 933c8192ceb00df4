import type { Store, Topic } from './store.js';

/** One page behind one address. */
export interface View {
  readonly title: string;
  readonly root: HTMLElement;
  /** Called at most four times a second with what changed since. */
  update(changed: ReadonlySet<Topic>): void;
  close?(): void;
}

export type OpenView = (store: Store, parameters: readonly string[]) => View;

export const everything: ReadonlySet<Topic> = new Set<Topic>([
  'clock',
  'demo',
  'devices',
  'events',
  'gateways',
  'incidents',
  'ledger',
  'link',
  'mails',
  'notifications',
  'rows',
  'sinks',
]);
