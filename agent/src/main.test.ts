import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Source } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { pino } from 'pino';
import { agentConfig } from './config.js';
import { runAgent } from './main.js';
import { LevelOutbox } from './outbox/level-outbox.js';

const folders: string[] = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

/** Opens the gate at every batch that the source hands over from here on. */
function watch(source: Source, handed: () => void): void {
  const read = source.read.bind(source);
  source.read = async function* (stop) {
    for await (const batch of read(stop)) {
      yield batch;
      handed();
    }
  };
}

test('two sources with one device: the second is told which is the first, and the first goes on', {
  timeout: 30_000,
}, async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'edgeward-agent-'));
  folders.push(dataDir);
  const plant = { type: 'simulated', devices: [{ name: 'pump-1', type: 'pump' }], lingerMs: 0 };
  const parsed = [
    { ...plant, name: 'first', intervalMs: 20 },
    { ...plant, name: 'second', intervalMs: 100, seed: 2 },
  ].map(source =>
    agentConfig.parse({
      gateway: 'gateway-1',
      dataDir,
      uplink: { url: 'mqtt://127.0.0.1:1' }, // nobody listens there
      sources: [source],
    }),
  );
  // Apart, because the configuration may refuse what it can see; names in a column of a file it cannot.
  const config = { ...parsed[0]!, sources: parsed.flatMap(({ sources }) => sources) };
  const [stop, changed, lines] = [new AbortController(), new Gate(), [] as string[]];
  const write = (line: string) => {
    lines.push(line);
    changed.open();
  };
  const failure = () => lines.find(line => line.includes('source has stopped'));
  let handedAfter = 0;
  const onSources = (sources: ReadonlyMap<string, Source>) =>
    watch(sources.get('first')!, () => {
      if (failure()) handedAfter += 1;
      changed.open();
    });
  const running = runAgent({ config, log: pino({}, { write }), onSources }, stop.signal, stop.signal);
  while (!failure() || handedAfter < 3) await changed.wait();
  stop.abort();
  await running;

  const { source, error } = JSON.parse(failure()!) as { source: string; error: string };
  assert.equal(source, 'second');
  assert.match(error, /Device pump-1 is read by source first already: give it another name in second/);
  assert.equal(lines.filter(line => line.includes('source has stopped')).length, 1);
  await using outbox = await LevelOutbox.open({
    directory: path.join(dataDir, 'outbox'),
    gateway: 'gateway-1',
    maxBytes: 1e9,
    whenFull: 'block',
    clock: systemClock,
    log: silentLogger,
  });
  const [pump] = outbox.report().devices;
  assert.ok(pump!.read >= 3);
  assert.equal(pump!.held[0]!.through, pump!.read, 'every number that was given belongs to a row');
});
