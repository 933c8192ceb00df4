/** npm start: installs, builds, and hands over to the demo with the terminal as it is. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build, checkNode, install, root } from './steps.mjs';

checkNode();
await install();
await build();
const cli = path.join(root, 'agent', 'bin', 'edgeward.js');
const demo = spawn(process.execPath, [cli, 'demo', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
// The terminal sends its signals to the whole group; a signal to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => process.stdin.isTTY || demo.kill(signal));
demo.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
