import type { z } from 'zod';
import { HttpError } from './errors.js';

type Issue = z.core.$ZodIssue;

/** The first problem zod found, as field, value and remedy. */
export function explain(error: z.ZodError, input: unknown): HttpError {
  const issue = mostTelling(error.issues);
  if (!issue) return new HttpError('EW_HTTP_REQUEST', 'The request cannot be understood.');
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
  const path = [...issue.path, ...keys.slice(0, 1)];
  const value = valueAt(input, path);
  const field = fieldName(path);
  return new HttpError('EW_HTTP_REQUEST', `${field || 'The body'}: ${messageOf(issue, value)}`, {
    value,
    remedy: remedyOf(issue),
    ...(field !== '' && { field }),
  });
}

/** Of a union's branches, the one the sender most likely meant: the right kind of thing, with the fewest problems. */
function mostTelling(issues: readonly Issue[]): Issue | undefined {
  const issue = issues[0];
  if (issue?.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const branches = [...issue.errors].sort((a, b) => distance(a) - distance(b));
  const inner = mostTelling(branches[0] ?? []);
  return inner && { ...inner, path: [...issue.path, ...inner.path] };
}

function distance(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => sum + weight(issue), 0);
}

/** The wrong kind of thing altogether counts for more than any number of wrong fields. */
function weight(issue: Issue): number {
  if (issue.code === 'invalid_union' && issue.errors.length > 0)
    return Math.min(...issue.errors.map(distance));
  return issue.path.length === 0 && issue.code === 'invalid_type' ? 1_000_000 : 1;
}

function messageOf(issue: Issue, value: unknown): string {
  if (issue.code === 'unrecognized_keys') return 'this name is unknown.';
  if (value === undefined) return 'is missing.';
  return `${issue.message.replace(/\.$/, '')}.`;
}

function remedyOf(issue: Issue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return 'Remove it or correct its spelling; /api/openapi.json lists what is known.';
    case 'invalid_type':
      return `Give ${issue.expected === 'array' ? 'a list' : article(issue.expected)}.`;
    case 'too_small':
      return `Give at least ${issue.minimum}${unitOf(issue.origin)}.`;
    case 'too_big':
      return `Give at most ${issue.maximum}${unitOf(issue.origin)}.`;
    case 'invalid_value':
      return `Give one of ${issue.values.map(String).join(', ')}.`;
    case 'custom':
      return String(issue.params?.remedy ?? 'Correct it.');
    default:
      return 'See /api/openapi.json for what this route takes.';
  }
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

/** `[3].values.pressure`; empty for the whole. */
function fieldName(path: readonly PropertyKey[]): string {
  const joined = path.map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return joined.replace(/^\./, '');
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}
