/** What `npm start` and `npm test` share: install and build, each only when something changed. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const workspaces = ['shared', 'models', 'simulators', 'agent', 'collector', 'test'];
const windows = process.platform === 'win32';

/** Runs a command with its output on standard error, so that standard output stays free for results. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}`));
    });
  });
}

export function checkNode() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major >= 20) return;
  console.error(`Edgeward needs Node.js 20 or newer; this is ${process.version}.`);
  process.exit(1);
}

/** npm ci, unless what the lockfile names is installed already. */
export async function install() {
  const wanted = hashOf([
    'package-lock.json',
    'package.json',
    ...workspaces.map(name => `${name}/package.json`),
  ]);
  const stamp = path.join(root, 'node_modules', '.edgeward-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Installing packages (first time, or the lockfile changed) …');
  // On Windows npm is a script, which needs a shell.
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    shell: windows,
  });
  writeFileSync(stamp, wanted);
}

/** tsc -b and the page's files, unless no source changed since the last build. */
export async function build() {
  const stamp = path.join(root, 'node_modules', '.edgeward-built');
  const wanted = hashOf(sources());
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Building …');
  dropStaleOutput();
  await run(process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b']);
  copyPage();
  writeFileSync(stamp, wanted);
}

/** Every test file, compiled. */
export function testFiles(filter) {
  const all = workspaces
    .flatMap(name => walk(path.join(root, name, 'dist')))
    .filter(file => file.endsWith('.test.js'));
  return all.filter(file => !filter || file.includes(filter)).sort();
}

function sources() {
  const files = workspaces.flatMap(name => [
    ...walk(path.join(root, name, 'src')),
    path.join(root, name, 'tsconfig.json'),
  ]);
  return [...files, path.join(root, 'tsconfig.base.json'), path.join(root, 'tsconfig.json')];
}

/** A compiled file whose source is gone would still run as a test. */
function dropStaleOutput() {
  for (const name of workspaces) {
    const dist = path.join(root, name, 'dist');
    for (const file of walk(dist)) {
      if (!file.endsWith('.js')) continue;
      const source = path.join(root, name, 'src', path.relative(dist, file)).replace(/\.js$/, '.ts');
      if (existsSync(source)) continue;
      for (const end of ['.js', '.js.map', '.d.ts']) rmSync(file.replace(/\.js$/, end), { force: true });
    }
  }
}

/** The files of the page that are no TypeScript. */
export function copyPage() {
  const [from, to] = ['src', 'dist'].map(folder => path.join(root, 'collector', folder, 'web'));
  for (const file of walk(from)) {
    if (file.endsWith('.ts') || path.basename(file) === 'tsconfig.json') continue;
    cpSync(file, path.join(to, path.relative(from, file)));
  }
}

function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath ?? entry.path, entry.name));
}

/** Sizes and times of files, not their content: this runs at every start. */
function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files.map(name => path.resolve(root, name)).sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}
