/** npm test [part of a file name]: installs, builds, lints and runs every test. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build, checkNode, install, root, run, testFiles } from './steps.mjs';

checkNode();
await install();
await build();
const filter = process.argv[2];
if (!filter)
  await run(process.execPath, [
    path.join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome'),
    'ci',
    '.',
  ]);
const files = testFiles(filter);
if (files.length === 0) {
  console.error(filter ? `No test file has "${filter}" in its name.` : 'There are no tests.');
  process.exit(1);
}
// Two at a time: the end-to-end tests start several processes each. A file that hangs fails, it does not hold up CI.
const args = ['--test', '--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec', ...files];
const tests = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
tests.on('exit', code => {
  process.exitCode = code ?? 1;
});
