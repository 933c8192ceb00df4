/**
 * `npm run test:faults [-- part of a file name]`: the whole rig, then the matrix as a table and in
 * test/faults-result.json. Ends with 1 if a row is broken, or not shown where nothing may be skipped.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { root } from '../support/root.js';
import { matrixText, type Row } from './matrix.js';

interface Outcome {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly duration_ms: number; readonly error?: Error & { cause?: unknown } };
}

const folder = path.join(root, 'test', 'dist', 'faults');
const [filter = ''] = process.argv.slice(2);
const files = readdirSync(folder)
  .filter(name => name.endsWith('.test.js') && name.includes(filter))
  .map(name => path.join(folder, name));
process.env.EDGEWARD_FAULTS ??= 'full';
// Here nobody waits for a verdict on a change: every run goes where none was before.
process.env.SEED ??= 'random';
const rows: Row[] = [];
const tests = run({ files, concurrency: 1 });
tests.on('test:pass', outcome => note(outcome, true));
tests.on('test:fail', outcome => note(outcome, false));
tests.compose(new spec()).pipe(process.stderr);
tests.on('end', report);

function note(outcome: Outcome, passed: boolean): void {
  if (outcome.nesting > 0) return;
  const { name, skip, todo, details } = outcome;
  const failed = todo ? 'known weak' : 'BROKEN';
  const result = skip ? 'not shown' : passed ? 'holds' : failed;
  const reason = skip ? String(skip) : passed ? undefined : todo ? String(todo) : reasonOf(details.error);
  const file = path.basename(outcome.file ?? '', '.test.js');
  rows.push({ file, name, result, seconds: details.duration_ms / 1000, ...(reason && { reason }) });
}

function reasonOf(error: (Error & { cause?: unknown }) | undefined): string | undefined {
  if (!error) return undefined;
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function report(): void {
  process.stdout.write(`\n${matrixText(rows)}\n`);
  const machine = { node: process.version, kernel: os.release(), cpus: os.cpus().length };
  const result = { amount: process.env.EDGEWARD_FAULTS, machine, rows };
  writeFileSync(path.join(root, 'test', 'faults-result.json'), `${JSON.stringify(result, null, 2)}\n`);
  const demanded = process.env.EDGEWARD_NO_SKIP ? ['BROKEN', 'not shown'] : ['BROKEN'];
  if (rows.length === 0 || rows.some(({ result }) => demanded.includes(result))) process.exitCode = 1;
}
