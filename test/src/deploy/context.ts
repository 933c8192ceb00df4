/** What `docker build .` sends: the repository without what .dockerignore names. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

interface Pattern {
  readonly keep: boolean;
  readonly expression: RegExp;
  readonly text: string;
}

/** @returns the files, relative to `root` */
export function contextFiles(root: string): string[] {
  const patterns = readFileSync(path.join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter(line => line.trim() !== '' && !line.startsWith('#'))
    .map(patternOf);
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!ignored(name, patterns) || mayKeepWithin(name, patterns)) walk(name);
      } else if (!ignored(name, patterns)) found.push(name);
    }
  };
  walk('');
  return found;
}

/** Docker's COPY: a folder means what is in it. @throws if there is nothing under that name */
export function copyFromContext(root: string, files: readonly string[], from: string, to: string): void {
  const wanted = files.filter(file => file === from || file.startsWith(`${from}/`));
  if (wanted.length === 0) throw new Error(`COPY ${from}: not in the context`);
  for (const file of wanted) {
    const target = file === from ? to : path.join(to, path.relative(from, file));
    cpSync(path.join(root, file), target);
  }
}

/** The last pattern that fits a file or a folder above it decides. */
function ignored(name: string, patterns: readonly Pattern[]): boolean {
  return patterns.findLast(({ expression }) => expression.test(name))?.keep === false;
}

function mayKeepWithin(folder: string, patterns: readonly Pattern[]): boolean {
  return patterns.some(({ keep, text }) => keep && text.startsWith(`${folder}/`));
}

function patternOf(line: string): Pattern {
  const text = line.replace(/^!/, '').trim();
  const body = text
    .replace(/[.+^${}()|[\]]/g, '\\$&')
    .replace(/\*\*\/|\*/g, star => (star === '*' ? '[^/]*' : '(?:.*/)?'));
  return { keep: line.startsWith('!'), text, expression: new RegExp(`^${body}(?:/|$)`) };
}
