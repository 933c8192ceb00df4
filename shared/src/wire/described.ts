/** What blocks of one kind share. It travels apart from them, once, and is known by the hash of what it says. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Field, Schema } from '../contracts.js';
import { getOrMake } from '../maps.js';
import { namePattern } from '../topics.js';
import { wireLimits } from './limits.js';

export interface Described {
  /** 16 hex digits. */
  readonly id: string;
  readonly schema: Schema;
  /** Revision of the model that scored the rows. */
  readonly model?: string;
}

const name = z.string().regex(namePattern);
const fieldSchema = z.strictObject({
  name: z.string().min(1).max(128),
  kind: z.enum(['float', 'int', 'bool', 'string']),
  unit: z.string().max(32).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  maxRate: z.number().optional(),
  stuckAfter: z.int().optional(),
});
const contentSchema = z.strictObject({
  type: name,
  fields: z.array(fieldSchema).min(1).max(wireLimits.maxFields),
  devices: z.array(name).min(1).max(wireLimits.maxDevices),
  model: z.string().max(128).optional(),
});
type Content = z.infer<typeof contentSchema>;

const known = new WeakMap<Schema, Map<string | undefined, Described>>();

/** The same object for the same schema object and model. @throws TypeError for a schema that no receiver would take */
export function describe(schema: Schema, model?: string): Described {
  const ofModel = known.get(schema) ?? new Map<string | undefined, Described>();
  known.set(schema, ofModel);
  return getOrMake(ofModel, model, () => {
    const content = contentOf(schema, model);
    const { error } = contentSchema.safeParse(content);
    if (error) throw new TypeError(`The batch makes no block: ${problemOf(error)}`);
    return { id: idOf(content), schema, ...(model !== undefined && { model }) };
  });
}

function problemOf({ issues }: z.ZodError): string {
  const [first] = issues;
  return `${first?.path.join('.')} of its schema: ${first?.message}`.slice(0, 300);
}

/** What `parseDescribed` takes. */
export function describedToJson({ id, schema, model }: Described): unknown {
  return { id, ...contentOf(schema, model) };
}

/** @returns undefined for anything that is none, or whose id is not its own */
export function parseDescribed(json: unknown): Described | undefined {
  if (typeof json !== 'object' || json === null || !('id' in json)) return undefined;
  const { id, ...rest } = json;
  const { data } = contentSchema.safeParse(rest);
  if (!data || idOf(data) !== id) return undefined;
  const { model, ...schema } = data;
  return { id, schema: schema as Schema, ...(model !== undefined && { model }) };
}

/** Always the same keys in the same order, those without a value left out: the text is hashed. */
function contentOf({ type, fields, devices }: Schema, model: string | undefined): Content {
  return {
    type,
    fields: fields.map(
      ({ name, kind, unit, min, max, maxRate, stuckAfter }: Field) =>
        JSON.parse(
          JSON.stringify({ name, kind, unit, min, max, maxRate, stuckAfter }),
        ) as Content['fields'][0],
    ),
    devices: [...devices],
    ...(model !== undefined && { model }),
  };
}

function idOf({ model, ...schema }: Content): string {
  const text = JSON.stringify(contentOf(schema as Schema, model));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
