import type { StoreDatabase } from '@edgeward/shared/store';
import type { Write } from './layout.js';

/** What a `batch` comes to once its operations are checked and encoded. */
interface Encoded {
  _batch(operations: readonly Write[], options: { readonly sync: boolean }): Promise<void>;
}

/**
 * Keys and values are buffers already: abstract-level's copies and checks of each operation, which find nothing to
 * do, would cost more than writing them.
 */
export function writeBatch(db: StoreDatabase, writes: readonly Write[], sync: boolean): Promise<void> {
  if (db.status !== 'open') return db.batch([...writes], { sync }); // it waits, or says why not
  return (db as unknown as Encoded)._batch(writes, { sync });
}
