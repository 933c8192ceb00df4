/** SIGHUP at any moment of a real collector's life: it asks for its file to be read again, and never ends anything. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { test } from 'node:test';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';

/** Linux tells which signals a process catches. */
const skip = process.platform === 'linux' ? false : 'there is no /proc to look at';

function catches(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

test('SIGHUP while it starts waits, while it runs is done, while it ends is left out', { skip }, async () => {
  await using bench = new Workbench();
  const api = await freePort();
  const configure = (...names: string[]) =>
    bench.config('collector', {
      dataDir: './collector',
      broker: { port: 0 },
      api: { port: api },
      sinks: names.map(name => ({ type: 'file', name, directory: `./${name}` })),
    });
  const names = async () =>
    (await getJson<{ name: string }[]>(`http://127.0.0.1:${api}/api/sinks`)).map(({ name }) => name);
  const readAgain = ({ stdout, stderr }: EdgewardProcess) =>
    (stdout + stderr).split('configuration read again').length - 1;

  const collector = bench.start(['collector', '-c', configure('one')]);
  while (!catches(collector.pid, constants.signals.SIGHUP)) await new Promise(setImmediate);
  assert.equal(collector.stdout + collector.stderr, '', 'it hears long before it is ready');
  process.kill(collector.pid, 'SIGHUP');
  process.kill(collector.pid, 'SIGHUP');
  await until('what was asked for too early is done', async () => readAgain(collector) === 1);
  assert.deepEqual(await names(), ['one']);

  configure('one', 'two');
  process.kill(collector.pid, 'SIGHUP');
  await until('it has both', async () => (await names()).length === 2);

  // Somebody who has not finished asking keeps it from ending at once.
  const asking = connect({ host: '127.0.0.1', port: api });
  asking.on('error', () => undefined);
  asking.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/sinks HTTP/1.1\r\n');
  await once(asking, 'data');
  const left = /SIGHUP while it stops: the configuration is not read again/;
  const ended = collector.end('SIGTERM');
  await until('it leaves one out', async () => {
    if (collector.running) process.kill(collector.pid, 'SIGHUP');
    return left.test(collector.stdout + collector.stderr) || !collector.running;
  });
  assert.equal(await ended, 0, collector.stdout + collector.stderr);
  assert.match(collector.stdout + collector.stderr, left);
  asking.destroy();
});
