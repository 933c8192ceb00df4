/** test/services/lint/lint.sh for tests: the compose specification's schema, and hadolint. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { root } from '../support/root.js';

const script = path.join(root, 'test/services/lint/lint.sh');

/** For `test(name, { skip: noLint() }, …)`; with EDGEWARD_NO_SKIP never, so that its absence fails. */
export function noLint(): string | false {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  if (process.env.EDGEWARD_NO_SKIP || existsSync(path.join(cache, 'edgeward-lint-1/.complete'))) return false;
  return 'SKIPPED: the linters have not been fetched; run test/services/lint/lint.sh fetch';
}

/** @param files  relative to the repository */
export function lint(what: 'compose' | 'docker', ...files: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(script, [what, ...files], { cwd: root, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}
