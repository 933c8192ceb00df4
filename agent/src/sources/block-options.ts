import { z } from 'zod';

/** How a source cuts its rows into blocks: the same words in every source. */
export const blockOptions = {
  batchRows: z.int().min(1).max(10_000).default(500).meta({ description: 'Rows in a block at most' }),
  lingerMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(1000)
    .meta({ description: 'How long a row may wait for its block to fill', unit: 'ms' }),
};
