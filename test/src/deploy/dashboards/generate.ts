/**
 * Writes deploy/grafana/dashboards: `npm run generate`. With --check it writes nothing and ends with 1 if something
 * would change.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../support/root.js';
import { dashboards } from './index.js';

const folder = path.join(root, 'deploy/grafana/dashboards');
const check = process.argv.includes('--check');

function present(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

mkdirSync(folder, { recursive: true });
for (const [name, dashboard] of Object.entries(dashboards)) {
  const file = path.join(folder, `${name}.json`);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  if (present(file) === text) continue;
  if (check) {
    console.error(`${path.relative(root, file)} is not what npm run generate writes`);
    process.exitCode = 1;
  } else writeFileSync(file, text);
}
