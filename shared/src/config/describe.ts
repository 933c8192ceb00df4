import type { ConfigNode } from './tree.js';

/** What may stand there, in words: `whole number from 1 to 65535`, `one of debug, info`. */
export function describeAllowed(node: ConfigNode): string {
  if (node.const !== undefined) return show(node.const);
  if (node.enum) return `one of ${node.enum.map(show).join(', ')}`;
  const alternatives = node.oneOf ?? node.anyOf;
  if (alternatives) return [...new Set(alternatives.map(describeAllowed))].join(', or ');
  const types = typeof node.type === 'string' ? [node.type] : (node.type ?? []);
  return types.map(type => describeType(type, node)).join(', or ') || 'any value';
}

function describeType(type: string, node: ConfigNode): string {
  switch (type) {
    case 'integer':
      return `whole number${range(node)}`;
    case 'number':
      return `number${range(node)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return `${node.path ? 'path' : 'text'}${lengths(node)}`;
    case 'array':
      return describeList(node);
    case 'object':
      return describeMapping(node);
    default:
      return type;
  }
}

function describeList(node: ConfigNode): string {
  const items = typeof node.items === 'object' ? ` of ${describeItems(node.items)}` : '';
  const least = node.minItems ? `, at least ${node.minItems}` : '';
  const most = node.maxItems === undefined ? '' : `, at most ${node.maxItems}`;
  return `list${items}${least}${most}`;
}

function describeItems(items: ConfigNode): string {
  const alternatives = items.oneOf ?? items.anyOf ?? [items];
  return alternatives.every(item => item.properties) ? 'mappings' : describeAllowed(items);
}

function describeMapping(node: ConfigNode): string {
  const required = node.required ?? [];
  if (!node.properties) return 'mapping';
  const keys = required.length > 0 && required.length < 4 ? required : [];
  return keys.length > 0 ? `mapping with ${keys.join(', ')}` : 'mapping';
}

/** ` from 1 to 65535`, or nothing; safe-integer bounds are no news to anyone. */
export function range(node: ConfigNode): string {
  const low = news(node.minimum);
  const high = news(node.maximum);
  const both = low !== undefined && high !== undefined;
  const parts = [
    both ? `from ${low} to ${high}` : '',
    !both && low !== undefined ? `at least ${low}` : '',
    node.exclusiveMinimum === undefined ? '' : `above ${node.exclusiveMinimum}`,
    !both && high !== undefined ? `at most ${high}` : '',
    node.exclusiveMaximum === undefined ? '' : `below ${node.exclusiveMaximum}`,
    node.multipleOf === undefined ? '' : `in steps of ${node.multipleOf}`,
  ].filter(part => part !== '');
  return parts.length > 0 ? ` ${parts.join(', ')}` : '';
}

function news(bound: number | undefined): number | undefined {
  return bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : bound;
}

const formats: Readonly<Record<string, string>> = {
  uri: ' with a full address (URL)',
  email: ' with a mail address',
  'date-time': ' with a date, a time and a zone (ISO 8601)',
};

function lengths(node: ConfigNode): string {
  if (node.format !== undefined) return formats[node.format] ?? ` (${node.format})`;
  // A regular expression tells a reader nothing: the example that follows does.
  if (node.pattern !== undefined) return '';
  if (node.maxLength !== undefined) return ` of ${node.minLength ?? 0} to ${node.maxLength} characters`;
  return node.minLength ? `, not empty` : '';
}

/** A value as YAML would have it in one line. */
export function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The kind of a value, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return 'text';
  return typeof value === 'boolean' ? 'true or false' : 'a number';
}
