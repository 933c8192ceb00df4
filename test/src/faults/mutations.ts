/**
 * `npm run test:mutations [-- part of a name]`: puts each deliberate fault into a copy of the built code and demands
 * that the rig notices. The same tests must hold in a copy that was not touched. Prints a table.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../support/root.js';
import { type Mutation, mutations, type Patch } from './mutation-list.js';

const workspaces = ['shared', 'models', 'simulators', 'agent', 'collector', 'test'];

interface Outcome {
  readonly red: boolean;
  /** The first thing the rig complains of. */
  readonly complaint: string;
}

const [filter = ''] = process.argv.slice(2);
const chosen = mutations.filter(({ name }) => name.includes(filter));
let failed = chosen.length === 0;
for (const mutation of chosen) {
  const untouched = await runIn(mutation, []);
  const mutated = await runIn(mutation, mutation.patches);
  const ok = !untouched.red && mutated.red;
  failed ||= !ok;
  const told = untouched.red ? `red without it: ${untouched.complaint}` : mutated.complaint;
  process.stdout.write(`${mutation.name.padEnd(38)}${ok ? 'noticed' : 'NOT SHOWN'}  ${told}\n`);
}
process.exitCode = failed ? 1 : 0;

async function runIn(mutation: Mutation, patches: readonly Patch[]): Promise<Outcome> {
  const copy = copyOfBuild();
  try {
    for (const patch of patches) apply(copy, patch);
    return await runRig(copy, mutation);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** What is built, with the installed packages beside it; our own packages are those of the copy. */
function copyOfBuild(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'edgeward-mutation-'));
  for (const name of workspaces)
    for (const part of ['package.json', 'bin', 'dist', 'services']) {
      const from = path.join(root, name, part);
      if (existsSync(from)) cpSync(from, path.join(copy, name, part), { recursive: true });
    }
  const installed = path.join(root, 'node_modules');
  mkdirSync(path.join(copy, 'node_modules', '@edgeward'), { recursive: true });
  for (const name of readdirSync(installed).filter(entry => entry !== '@edgeward'))
    symlinkSync(path.join(installed, name), path.join(copy, 'node_modules', name));
  for (const name of workspaces)
    symlinkSync(path.join(copy, name), path.join(copy, 'node_modules', '@edgeward', name));
  return copy;
}

/** @throws if the pattern fits nowhere: the code has moved, and the list must follow */
function apply(copy: string, { where, find, put }: Patch): void {
  let hits = 0;
  for (const file of filesAt(path.join(copy, where))) {
    const text = readFileSync(file, 'utf8');
    const found = text.match(find)?.length ?? 0;
    if (found === 0) continue;
    hits += found;
    writeFileSync(file, text.replace(find, put));
  }
  if (hits === 0) throw new Error(`${find} fits nothing in ${where}: bring mutation-list.ts up to date.`);
}

function filesAt(place: string): string[] {
  if (statSync(place).isFile()) return [place];
  return readdirSync(place)
    .filter(name => name.endsWith('.js') && !name.endsWith('.test.js'))
    .map(name => path.join(place, name));
}

function runRig(copy: string, { file, tests, times }: Mutation): Promise<Outcome> {
  const env = { ...process.env, EDGEWARD_FAULTS: 'few', EDGEWARD_FAULTS_TIMES: String(times) };
  const compiled = path.join(copy, 'test', 'dist', 'faults', `${file}.test.js`);
  const args = ['--test', '--test-reporter=tap', `--test-name-pattern=${tests}`, compiled];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString('utf8');
    });
    child.on('error', reject);
    child.on('close', code => resolve({ red: code !== 0, complaint: complaintIn(output) }));
  });
}

/** The oracle's own words, or else the first error. */
function complaintIn(tap: string): string {
  const verdict = /\d+ (?:missing|doubled|unknown|reused|disordered)[^'\n]*/.exec(tap)?.[0];
  const error = /^\s*error: (?:'(.*)'|"(.*)"|\|-\n\s*(.*\n.*))/m.exec(tap)?.slice(1).find(Boolean);
  return (verdict ?? error ?? '').replaceAll(/\s+/g, ' ').slice(0, 160);
}
