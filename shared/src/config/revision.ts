/** Tells whether a configuration has changed, and where. */
import { createHash } from 'node:crypto';
import { isSecretName } from './issue.js';

/** Hexadecimal digits: enough to see a change. Who can guess a short value finds it by trying: secrets must stay out. */
const digits = 8;

/**
 * A short hash of each section. The same settings give the same, in whatever order they stand. What is called a
 * secret (`password`, `token`, …) is left out, and so are credentials and values of the query in URLs: a new password is
 * no other configuration. A secret in the path of a URL is hashed with it.
 */
export function configRevisions(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const sections = Object.entries(config).filter(
    ([name, value]) => value !== undefined && !isSecretName(name),
  );
  return Object.fromEntries(sections.map(([name, value]) => [name, revisionOf(value)]));
}

function revisionOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(plainOf(value)))
    .digest('hex')
    .slice(0, digits);
}

function plainOf(value: unknown): unknown {
  if (typeof value === 'string') return withoutSecrets(value);
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name, one]) => one !== undefined && !isSecretName(name));
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, plainOf(one)]);
}

/** Rather too much than too little: in credentials that are not encoded, any character may stand. */
function withoutSecrets(text: string): string {
  const at = text.indexOf('//');
  if (at < 0) return text;
  const end = text.lastIndexOf('@');
  const bare = end > at ? `${text.slice(0, at)}//${text.slice(end + 1)}` : text;
  return bare.replaceAll(/([?&#][^=?&#]*)=[^&#]*/g, '$1=');
}
