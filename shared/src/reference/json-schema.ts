import type { z } from 'zod';
import { jsonSchemaOf } from '../config/tree.js';
import type { Page } from './page.js';

const ours: ReadonlySet<string> = new Set(['unit', 'path', 'secret']);

/** For editors and other validators: our own marks become `x-…`, which every one of them lets pass. */
export function jsonSchemaPage(name: string, schema: z.ZodType): Page {
  const { $schema, ...rest } = jsonSchemaOf(schema);
  const page = { $schema, title: `Edgeward ${name}`, ...(renamed(rest, false) as object) };
  return { name: `${name}.schema.json`, text: `${JSON.stringify(page, null, 2)}\n` };
}

/** @param names  the keys are option names, not keywords */
function renamed(value: unknown, names: boolean): unknown {
  if (Array.isArray(value)) return value.map(item => renamed(item, false));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      if (!names && (key === 'default' || key === 'examples' || key === 'enum' || key === 'const'))
        return [key, child];
      return [!names && ours.has(key) ? `x-${key}` : key, renamed(child, !names && key === 'properties')];
    }),
  );
}
