import type { Schema } from '@edgeward/shared/contracts';

type Field = Schema['fields'][number];

const mostNamed = 6;
/** That are remembered of a device. */
const mostFields = 256;

/** By name. */
export type Fields = ReadonlyMap<string, Field>;

/**
 * What is otherwise with the fields than ever before, in words; undefined = nothing that readings depend on. What is not
 * there may come later: sources that are not told their fields learn them anew at each start.
 * @param before  each as it was last
 */
export function schemaDiff(before: Fields, after: Schema): string | undefined {
  const parts = after.fields.flatMap(field => changeOf(before.get(field.name), field) ?? []);
  if (parts.length === 0) return undefined;
  const named = parts.slice(0, mostNamed);
  const more = parts.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

/** With these as they are now; of too many those go that were last seen longest ago. */
export function withFields(before: Fields | undefined, { fields }: Schema): Fields {
  const all = new Map(before);
  for (const field of fields) {
    all.delete(field.name);
    all.set(field.name, field);
  }
  const excess = all.size - Math.max(mostFields, fields.length);
  return excess > 0 ? new Map([...all].slice(excess)) : all;
}

function changeOf(before: Field | undefined, { name, unit, kind }: Field): string | undefined {
  if (!before) return `${name} is new`;
  if ((before.unit ?? '') !== (unit ?? ''))
    return `${name} in ${unit ?? 'no unit'} instead of ${before.unit ?? 'none'}`;
  return before.kind === kind ? undefined : `${name} is ${kind} instead of ${before.kind}`;
}
