/**
 * Bodies that receivers ask for: a JSON value in whose strings `{data.title}` stands for that field of the event. Filled
 * in after parsing, so that no name can change the structure of the body.
 */
import type { IncidentEvent } from './event.js';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type Escape = 'none' | 'markdown';

/** Values of `{secret.NAME}`. */
export type Secrets = Readonly<Record<string, string>>;

// {{ is a brace; a placeholder is a path, and perhaps words for values: {data.event|opened=trigger|closed=resolve}
const token = /\{\{|\}\}|\{([A-Za-z][\w.]*)((?:\|[^{}|=]*=[^{}|=]*)*)\}/g;
const wholeToken = /^\{([A-Za-z][\w.]*)((?:\|[^{}|=]*=[^{}|=]*)*)\}$/;

/** Each path that a template has, as it stands there. */
export function placeholdersIn(template: Json): string[] {
  if (typeof template === 'string')
    return [...template.matchAll(token)].flatMap(([, path]) => (path === undefined ? [] : [path]));
  if (typeof template !== 'object' || template === null) return [];
  return Object.values(template).flatMap(placeholdersIn);
}

/** Texts with a brace that is neither part of a placeholder nor doubled. */
export function strayBracesIn(template: Json): string[] {
  if (typeof template === 'string') return /[{}]/.test(template.replaceAll(token, '')) ? [template] : [];
  if (typeof template !== 'object' || template === null) return [];
  return Object.values(template).flatMap(strayBracesIn);
}

/** Whether a path leads to something that events may have. @param known  of `pathsOf` */
export function isKnown(path: string, known: ReadonlySet<string>): boolean {
  return !path.split('.').includes('N') && known.has(generic(path));
}

/** All paths of a value, `N` for any place in a list. */
export function pathsOf(value: unknown, path = ''): string[] {
  const here = path === '' ? [] : [path];
  if (typeof value !== 'object' || value === null) return here;
  const inner = Array.isArray(value) ? value.map(one => ['N', one] as const) : Object.entries(value);
  return [...here, ...inner.flatMap(([key, one]) => pathsOf(one, path === '' ? key : `${path}.${key}`))];
}

function generic(path: string): string {
  return path
    .split('.')
    .map(part => (/^\d+$/.test(part) ? 'N' : part))
    .join('.');
}

/** A string that is one placeholder and nothing else becomes the value itself: a list stays a list. */
export function fill(template: Json, event: IncidentEvent, secrets: Secrets, markup: Escape): Json {
  if (typeof template === 'string') return fillString(template, event, secrets, markup);
  if (Array.isArray(template))
    return (template as readonly Json[]).map(one => fill(one, event, secrets, markup));
  if (typeof template !== 'object' || template === null) return template;
  const entries = Object.entries(template).map(([key, one]) => [key, fill(one, event, secrets, markup)]);
  return Object.fromEntries(entries) as Json;
}

function fillString(template: string, event: IncidentEvent, secrets: Secrets, markup: Escape): Json {
  const whole = wholeToken.exec(template);
  if (whole) return escaped(whole[1]!, valueAt(whole[1]!, whole[2]!, event, secrets), markup);
  return fillText(template, event, secrets, markup);
}

/** The same within a text, always as text: for headers too. */
export function fillText(template: string, event: IncidentEvent, secrets: Secrets, markup: Escape): string {
  return template.replaceAll(token, (found, path: string | undefined, words: string | undefined) => {
    if (path === undefined) return found.slice(1);
    return textOf(escaped(path, valueAt(path, words ?? '', event, secrets), markup));
  });
}

function valueAt(path: string, words: string, event: IncidentEvent, secrets: Secrets): Json {
  const [head = '', ...rest] = path.split('.');
  const root: Json = head === 'secret' ? { secret: secrets } : (event as unknown as Json);
  const value = [head, ...rest].reduce<Json>((at, key) => childAt(at, key), root);
  const word = words
    .split('|')
    .map(one => one.split('='))
    .find(([from]) => from === textOf(value) && from !== '')?.[1];
  if (word === undefined) return value;
  return /^-?\d{1,9}$/.test(word) ? Number(word) : word;
}

function childAt(value: Json, key: string): Json {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null;
  return (value as { readonly [key: string]: Json })[key] ?? null;
}

function textOf(value: Json): string {
  if (value === null) return '';
  if (typeof value !== 'object') return String(value);
  const isList = Array.isArray(value) && value.every(one => typeof one !== 'object');
  return isList ? value.join('\n') : JSON.stringify(value);
}

/** Links are ours, and secrets are no text. */
function escaped(path: string, value: Json, markup: Escape): Json {
  if (markup === 'none' || path.endsWith('.link') || path.startsWith('secret.')) return value;
  return markdownInert(value);
}

/** No mention, link or formatting; what receivers do not take for markup reads the same. */
function markdownInert(value: Json): Json {
  if (typeof value === 'string')
    return value.replaceAll(/[\\`*_~[\]<>|#]/g, '\\$&').replaceAll('@', '\uff20');
  if (Array.isArray(value)) return (value as readonly Json[]).map(markdownInert);
  if (typeof value !== 'object' || value === null) return value;
  const inert = Object.entries(value).map(([key, one]) => [key, key === 'link' ? one : markdownInert(one)]);
  return Object.fromEntries(inert) as Json;
}
