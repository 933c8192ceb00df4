import type { z } from 'zod';
import { didYouMean } from '../nearest.js';
import { describeAllowed, kindOf, show } from './describe.js';
import { type ConfigIssue, fieldPath, type Path, showValue } from './issue.js';
import { type ConfigNode, type Place, placeAt, shapesOf } from './tree.js';
import type { YamlFile } from './yaml.js';

type ZodIssue = z.core.$ZodIssue;

/** Marks Zod's own messages, so that a schema's hand-written one is recognised and kept. */
export const ownWords = '\u0000';

/** Zod's issues as ours: one line each, with place, value and remedy. */
export function explainAll(issues: readonly ZodIssue[], tree: ConfigNode, yaml: YamlFile): ConfigIssue[] {
  return issues.flatMap(issue => explain(issue, [], { tree, yaml }));
}

interface Context {
  readonly tree: ConfigNode;
  readonly yaml: YamlFile;
}

function explain(issue: ZodIssue, prefix: Path, context: Context): ConfigIssue[] {
  const path: Path = [...prefix, ...issue.path.map(key => (typeof key === 'symbol' ? String(key) : key))];
  const place = placeAt(context.tree, context.yaml.value, path);
  if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownKey(key, path, place, context));
  if (issue.code === 'invalid_union' && issue.message.startsWith(ownWords)) {
    const nested = closestAlternative(issue, place.value);
    if (nested) return nested.flatMap(inner => explain(inner, path, context));
  }
  const { problem, remedy } = judge(issue, place);
  const value = showValue(place.value, place.secret);
  const where = context.yaml.locate(path, issue.code === 'invalid_key' ? 'key' : 'value');
  return [
    {
      file: context.yaml.file,
      ...where,
      field: fieldPath(path),
      ...(value !== undefined && { value }),
      problem,
      remedy,
    },
  ];
}

function unknownKey(key: string, path: Path, place: Place, context: Context): ConfigIssue {
  const shapes = place.nodes.flatMap(node => shapesOf(node, place.value));
  const known = [...new Set(shapes.flatMap(shape => Object.keys(shape.properties ?? {})))];
  const list = known.length > 0 ? `Known here: ${known.join(', ')}` : 'Nothing may stand here';
  return {
    file: context.yaml.file,
    ...context.yaml.locate([...path, key], 'key'),
    field: fieldPath([...path, key]),
    problem: 'unknown key',
    remedy: `correct or remove it.${didYouMean(key, known)} ${list}`,
  };
}

type UnionIssue = Extract<ZodIssue, { code: 'invalid_union' }>;

/** The issues of the one alternative that was clearly meant: right kind of value, fewest faults. */
function closestAlternative(issue: UnionIssue, value: unknown): readonly ZodIssue[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const sameKind = issue.errors.filter(
    errors => !errors.some(error => error.path.length === 0 && isKind(error)),
  );
  const sorted = [...sameKind].sort((a, b) => a.length - b.length);
  return sorted[0] && sorted[0].length !== sorted[1]?.length ? sorted[0] : undefined;
}

function isKind(error: ZodIssue): boolean {
  return error.code === 'invalid_type' || error.code === 'invalid_value';
}

interface Judgement {
  readonly problem: string;
  readonly remedy: string;
}

function judge(issue: ZodIssue, place: Place): Judgement {
  const node = place.nodes[0] ?? {};
  const remedy = remedyFor(node);
  if (!issue.message.startsWith(ownWords)) return ownJudgement(issue.message, remedy);
  if (place.value === undefined) return { problem: 'required, but missing', remedy: `add it: ${remedy}` };
  if (place.value === null)
    return { problem: 'is empty', remedy: `remove the line or complete it: ${remedy}` };
  switch (issue.code) {
    case 'invalid_type':
      return { problem: wrongType(issue.expected, place.value), remedy };
    case 'too_small':
    case 'too_big':
      return { problem: outside(issue), remedy };
    case 'invalid_value':
      return { problem: 'not a known value', remedy: `${remedy}${meant(place.value, issue.values)}` };
    case 'invalid_union':
      return issue.discriminator ? unknownType(issue, place) : { problem: 'fits no allowed form', remedy };
    case 'invalid_format':
      return { problem: 'not written as expected', remedy };
    case 'invalid_key':
      return { problem: 'this name is not allowed', remedy: 'use letters, digits, "_", "-" and "."' };
    case 'not_multiple_of':
      return { problem: `not a multiple of ${issue.divisor}`, remedy };
    default:
      return { problem: 'not allowed', remedy };
  }
}

/** A schema's own message may carry its remedy: `must be a mapping. Remedy: write { file: PATH }`. */
function ownJudgement(message: string, fallback: string): Judgement {
  const [problem = '', remedy = fallback] = message.split(/\.? Remedy: /);
  return { problem, remedy };
}

const words: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function wrongType(expected: string, value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'not a finite number';
  const found = typeof value === 'number' && expected === 'int' ? 'a fraction' : kindOf(value);
  return `must be ${words[expected] ?? expected}, not ${found}`;
}

function outside(issue: Extract<ZodIssue, { code: 'too_small' | 'too_big' }>): string {
  const small = issue.code === 'too_small';
  const limit = `${small ? issue.minimum : issue.maximum}`;
  const bound = `${small ? 'at least' : 'at most'} ${limit}`;
  if (issue.origin === 'string') return `too ${small ? 'short' : 'long'}: ${bound} characters`;
  if (issue.origin === 'array') return `too ${small ? 'few' : 'many'} entries: ${bound}`;
  const than = issue.inclusive === false ? ' or equal to' : '';
  return `${small ? 'below' : 'above'}${than} ${limit}`;
}

function unknownType(issue: UnionIssue, place: Place): Judgement {
  const options = 'options' in issue ? (issue.options ?? []) : [];
  return {
    problem: `unknown ${issue.discriminator ?? 'type'}`,
    remedy: `use one of ${options.map(show).join(', ')}${meant(place.value, options)}`,
  };
}

function meant(value: unknown, known: readonly unknown[]): string {
  return typeof value === 'string' ? `.${didYouMean(value, known.map(show))}`.replace(/\.$/, '') : '';
}

function remedyFor(node: ConfigNode): string {
  const unit = node.unit ? ` (${node.unit})` : '';
  const example = node.examples?.[0] ?? undefined;
  const such = example === undefined ? '' : `, for example ${show(example)}`;
  const simple = node.default !== undefined && typeof node.default !== 'object';
  const without = simple ? `, or leave it out for ${show(node.default)}` : '';
  return `give ${withArticle(describeAllowed(node))}${unit}${such}${without}`;
}

function withArticle(words: string): string {
  return /^(whole|number|list|mapping|path)/.test(words) ? `a ${words}` : words;
}
