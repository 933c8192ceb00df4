import type { Operation } from '../alerts/alert-store.js';
import type { MailRequest } from './mail.js';

/** Where the incident engine puts what people and machines are to be told. */
export interface Outlet {
  /** Must be done before the first `prepare`; safe to call twice. */
  open(): Promise<void>;
  /** @returns what to commit, and what to call once that is done; nothing is queued before */
  prepare(requests: readonly MailRequest[]): { readonly operations: readonly Operation[]; committed(): void };
}

/** Several as one: the news enters all their queues in the same commit, or none. */
export class Outlets implements Outlet {
  readonly #outlets: readonly Outlet[];

  constructor(outlets: readonly Outlet[]) {
    this.#outlets = outlets;
  }

  async open(): Promise<void> {
    for (const outlet of this.#outlets) await outlet.open();
  }

  prepare(requests: readonly MailRequest[]) {
    const prepared = this.#outlets.map(outlet => outlet.prepare(requests));
    return {
      operations: prepared.flatMap(({ operations }) => operations),
      committed: () => {
        for (const one of prepared) one.committed();
      },
    };
  }
}
