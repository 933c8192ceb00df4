import path from 'node:path';
import { z } from 'zod';
import { outboxStoreVersion } from '../outbox/layout.js';

const partOfConfig = z.object({
  gateway: z.string(),
  dataDir: z.string(),
  outbox: z.object({ maxBytes: z.number(), whenFull: z.enum(['thin', 'dropOldest', 'block']) }),
});

/** Where a checked agent configuration has its outbox. */
export function storeOf(config: unknown) {
  const { gateway, dataDir, outbox } = partOfConfig.parse(config);
  const directory = path.join(dataDir, 'outbox');
  return { gateway, outbox, which: { directory, kind: 'outbox', version: outboxStoreVersion } };
}
