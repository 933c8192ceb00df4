import type { Schema } from '@edgeward/shared/contracts';

type Field = Schema['fields'][number];

const mostNamed = 6;

/** What is otherwise with the fields, in words; undefined = nothing that readings depend on. */
export function schemaDiff(before: Schema, after: Schema): string | undefined {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const parts = [
    ...after.fields.flatMap(field => changeOf(old.get(field.name), field) ?? []),
    ...before.fields.flatMap(({ name }) => (now.has(name) ? [] : [`${name} is gone`])),
  ];
  if (parts.length === 0) return undefined;
  const named = parts.slice(0, mostNamed);
  const more = parts.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

function fieldsOf({ fields }: Schema): ReadonlyMap<string, Field> {
  return new Map(fields.map(field => [field.name, field]));
}

function changeOf(before: Field | undefined, { name, unit, kind }: Field): string | undefined {
  if (!before) return `${name} is new`;
  if ((before.unit ?? '') !== (unit ?? ''))
    return `${name} in ${unit ?? 'no unit'} instead of ${before.unit ?? 'none'}`;
  return before.kind === kind ? undefined : `${name} is ${kind} instead of ${before.kind}`;
}
