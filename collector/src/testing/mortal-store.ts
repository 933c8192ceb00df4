import { silentLogger } from '@edgeward/shared/log';
import { AlertStore, type Operation } from '../alerts/alert-store.js';

/** Writes so many times, and never again. */
export class MortalStore extends AlertStore {
  readonly died = new AbortController();
  #left: number;

  constructor(folder: string, writes: number) {
    super({ directory: `${folder}/incidents`, log: silentLogger });
    this.#left = writes;
  }

  override commit(operations: readonly Operation[]): Promise<void> {
    if (this.#left-- > 0) return super.commit(operations);
    this.died.abort();
    return Promise.reject(new Error('killed'));
  }
}

export function dead({ died }: MortalStore): Promise<void> {
  return new Promise(resolve => {
    if (died.signal.aborted) resolve();
    else died.signal.addEventListener('abort', () => resolve());
  });
}
