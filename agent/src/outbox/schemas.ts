import type { Described } from '@edgeward/shared/contracts';
import { type StoreDatabase, textKey } from '@edgeward/shared/store';
import { parseDescribed } from '@edgeward/shared/wire';

/** In front of the keys under which schemas are kept, by id. */
export const schemaPrefix = 'q';

/** What blocks of earlier starts need to be understood. */
export async function loadSchemas(db: StoreDatabase): Promise<Map<string, Described>> {
  const schemas = new Map<string, Described>();
  for await (const [, value] of db.iterator({ gte: textKey(schemaPrefix, ''), lt: textKey('r', '') })) {
    const described = parseJson(value);
    if (described) schemas.set(described.id, described);
  }
  return schemas;
}

function parseJson(value: Buffer): Described | undefined {
  try {
    return parseDescribed(JSON.parse(value.toString('utf8')));
  } catch {
    return undefined; // damaged: blocks that need it are counted as damaged too
  }
}
