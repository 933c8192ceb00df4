import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { test } from 'node:test';
import { processBoot, systemBoot } from './boot.js';
import { osClock } from './os-clock.js';
import { releasedMs } from './release.js';

const linux = process.platform === 'linux' ? false : 'only Linux says which boot this is';

test('on Linux the boot is the one the kernel names, and its clock counts from it', { skip: linux }, () => {
  const boot = systemBoot();
  const said = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  assert.equal(boot.id, said.replaceAll('-', ''));
  assert.ok(Math.abs(boot.monotonic() - uptime() * 1000) < 2000);
});

test('on Linux another process of the same boot reads the same clock', { skip: linux }, () => {
  const module = new URL('./boot.js', import.meta.url).href;
  const script = `import { systemBoot } from '${module}'; const b = systemBoot(); console.log(JSON.stringify([b.id, b.monotonic()]))`;
  const boot = systemBoot();
  const before = boot.monotonic();
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const [id, ms] = JSON.parse(output) as [string, number];
  assert.equal(id, boot.id);
  assert.ok(before <= ms && ms <= boot.monotonic(), `${before} ${ms}`);
});

test('elsewhere every process is a boot of its own, and a sleep begins another', () => {
  const boot = processBoot();
  assert.match(boot.id, /^[0-9a-f]{32}$/);
  assert.notEqual(boot.id, processBoot().id);
  assert.notEqual(boot.afterGap().id, boot.id);
  assert.ok(boot.afterGap().monotonic() - boot.monotonic() < 1000);
});

test('what systemd-timesyncd says is read from its files', () => {
  const files = (...names: string[]) => osClock(path => names.includes(path));
  assert.equal(files(), 'unknown');
  assert.equal(files('/run/systemd/timesync'), 'unsynchronised');
  assert.equal(files('/run/systemd/timesync', '/run/systemd/timesync/synchronized'), 'synchronised');
});

test('this release was made before now', () => {
  assert.ok(releasedMs < Date.now());
});
