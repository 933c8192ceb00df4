/** `npm run generate`: writes deploy/reference, or with --check compares it and says what differs. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandTable } from '../cli/table.js';
import { loadConfigModule } from '../config/modules.js';
import type { Page } from './page.js';
import { allPages } from './pages.js';

const referenceFolder = fileURLToPath(new URL('../../../deploy/reference', import.meta.url));

export async function writePages(folder: string, pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    const file = join(folder, page.name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, page.text);
  }
}

/** One line per file that differs: the first line that does. */
export async function comparePages(folder: string, pages: readonly Page[]): Promise<string[]> {
  const found = await readdir(folder).catch(() => []);
  const stale = found.filter(name => !pages.some(page => page.name === name));
  const differences = await Promise.all(pages.map(page => compare(folder, page)));
  return [...differences.flat(), ...stale.map(name => `${name}: is not generated any more; delete it`)];
}

async function compare(folder: string, page: Page): Promise<string[]> {
  const text = await readFile(join(folder, page.name), 'utf8').catch(() => undefined);
  if (text === undefined) return [`${page.name}: is missing`];
  const before = text.replaceAll('\r\n', '\n').split('\n');
  const after = page.text.split('\n');
  const at = after.findIndex((line, i) => line !== before[i]);
  if (at < 0) return before.length === after.length ? [] : [`${page.name}: has lines after its end`];
  return [`${page.name}:${at + 1}: has "${before[at] ?? ''}", should have "${after[at] ?? ''}"`];
}

/** Exit code 0 = up to date or written, 1 = differs. */
export async function main(argv: readonly string[]): Promise<number> {
  const pages = await allPages(loadConfigModule, commandTable);
  if (!argv.includes('--check')) {
    await writePages(referenceFolder, pages);
    process.stdout.write(`${pages.length} files written to deploy/reference\n`);
    return 0;
  }
  const differences = await comparePages(referenceFolder, pages);
  for (const line of differences) process.stderr.write(`deploy/reference/${line}\n`);
  if (differences.length > 0) process.stderr.write('Run npm run generate.\n');
  return differences.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
