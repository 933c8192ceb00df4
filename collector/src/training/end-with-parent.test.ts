import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { until } from '../testing/sinks-of.js';

const limit = { timeout: 30_000, skip: process.platform === 'win32' };
const module = JSON.stringify(new URL('./end-with-parent.js', import.meta.url).href);
/** Never comes back to its event loop. */
const busy = `import(${module}).then(m => { m.endWithParent(); console.log(process.pid); for (;;); })`;
const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(busy)}], { stdio: 'inherit' })`;

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a process that computes on end ends once its parent is killed', limit, async t => {
  const child = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(child.stdout, 'data');
  const pid = Number(String(said));
  t.after(() => isThere(pid) && process.kill(pid, 'SIGKILL'));
  assert.ok(pid > 0 && isThere(pid));
  child.kill('SIGKILL');
  await until(`${pid} has ended`, () => !isThere(pid));
});
