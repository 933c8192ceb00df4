import { createHash } from 'node:crypto';

/** The same parts make the same id: what comes twice is one incident. */
export function incidentIdOf(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts));
  return `inc-${hash.digest('hex').slice(0, 16)}`;
}
