/** Tells whether a configuration has changed, and where, without telling what stands in it. */
import { createHash } from 'node:crypto';
import { isSecretName } from './issue.js';

/** Hexadecimal digits: enough to see a change, too few to find out what was hashed. */
const digits = 8;

/**
 * A short hash of each section. The same settings give the same, in whatever order they stand. Secrets are left out: a
 * new password is no other configuration.
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
  if (typeof value === 'string') return value.replaceAll(/(\/\/)[^/\s@]+@/g, '$1');
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name, one]) => one !== undefined && !isSecretName(name));
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, plainOf(one)]);
}
