import { describeAllowed, range } from '../config/describe.js';
import type { ConfigNode } from '../config/tree.js';
import { code, notice, type Page, table } from './page.js';

/** One table per mapping: option, type, default, unit, allowed, description. */
export function optionsPage(name: string, tree: ConfigNode): Page {
  const sections = sectionsOf(tree, '');
  const text = sections.map(section => [...heading(section), optionTable(section.node)].join('\n\n'));
  const title = `# Configuration of the ${name}`;
  const intro = `${notice} A file with every option: [${name}.sample.yaml](${name}.sample.yaml).`;
  return { name: `${name}.md`, text: `${[title, intro, ...text].join('\n\n')}\n` };
}

interface Section {
  /** Where the mapping stands: `outbox`, `sources[]`; empty = the whole file. */
  readonly path: string;
  /** Which of several forms: `type: modbus`. */
  readonly form: string;
  readonly node: ConfigNode;
  readonly description: string;
}

function heading({ path, form, description }: Section): string[] {
  if (path === '') return [];
  const title = `## ${code(path)}${form === '' ? '' : ` with ${code(form)}`}`;
  return description === '' ? [title] : [title, sentence(description)];
}

function sectionsOf(node: ConfigNode, path: string, description = node.description ?? ''): Section[] {
  if (node.secret) return [];
  const forms = node.oneOf ?? node.anyOf;
  if (forms) return forms.flatMap(form => sectionsOf(form, path, form.description ?? description));
  if (typeof node.items === 'object')
    return sectionsOf(node.items, `${path}[]`, node.items.description ?? description);
  if (typeof node.additionalProperties === 'object') {
    return sectionsOf(node.additionalProperties, `${path}.NAME`, description);
  }
  if (!node.properties) return [];
  const children = Object.entries(node.properties);
  const below = children.flatMap(([key, child]) => sectionsOf(child, path === '' ? key : `${path}.${key}`));
  return [{ path, form: formOf(node), node, description }, ...below];
}

function formOf(node: ConfigNode): string {
  const fixed = Object.entries(node.properties ?? {}).find(([, child]) => child.const !== undefined);
  return fixed ? `${fixed[0]}: ${String(fixed[1].const)}` : '';
}

const head = ['Option', 'Type', 'Default', 'Unit', 'Allowed', 'Description'];

function optionTable(node: ConfigNode): string {
  const rows = Object.entries(node.properties ?? {}).map(([key, option]) => [
    code(key),
    typeWords(option),
    defaultWords(option, node.required?.includes(key) ?? false),
    option.unit ?? '',
    allowedWords(option),
    sentence(option.description ?? ''),
  ]);
  return table(head, rows);
}

export function typeWords(node: ConfigNode): string {
  if (node.secret) return 'secret';
  const forms = node.oneOf ?? node.anyOf;
  if (forms) return [...new Set(forms.map(formWords))].join(' or ');
  if (typeof node.items === 'object')
    return `list of ${typeWords(node.items).replace(/^(mapping|path|number|whole number)$/, '$1s')}`;
  const types = typeof node.type === 'string' ? [node.type] : (node.type ?? ['any']);
  const words = types.map(type => (type === 'string' && node.path ? 'path' : (names[type] ?? type)));
  return words.join(' or ');
}

function formWords(form: ConfigNode): string {
  return form.const === undefined ? typeWords(form) : String(form.const);
}

const names: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
  object: 'mapping',
  array: 'list',
};

function defaultWords(node: ConfigNode, required: boolean): string {
  if (required) return 'required';
  if (node.default === undefined) return 'none';
  if (node.properties) return 'see below';
  return code(typeof node.default === 'string' ? node.default || '""' : JSON.stringify(node.default));
}

function allowedWords(node: ConfigNode): string {
  if (node.secret) return '`{ file: PATH }` or `{ env: NAME }`';
  if (node.const !== undefined) return code(String(node.const));
  if (node.enum) return node.enum.map(value => code(String(value))).join(', ');
  if (node.format === 'date-time') return 'ISO 8601 with a zone, such as `2026-01-05T00:00:00Z`';
  if (node.pattern !== undefined) return `matching ${code(node.pattern)}`;
  if (node.type === 'integer' || node.type === 'number') return range(node).trim();
  if (node.type === 'array') return describeAllowed({ ...node, items: false }).replace(/^list,? ?/, '');
  return '';
}

export function sentence(text: string): string {
  return text === '' || /[.!?]$/.test(text) ? text : `${text}.`;
}
