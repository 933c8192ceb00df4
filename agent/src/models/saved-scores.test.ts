import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Scorer } from '@edgeward/models/scorer';
import { silentLogger } from '@edgeward/shared/log';
import { pino } from 'pino';
import { SavedScores } from './saved-scores.js';

const folders: string[] = [];
after(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'edgeward-scores-'));
  folders.push(made);
  return made;
}

const bundle = path.resolve(import.meta.dirname, '../../../models/bundles/pump');
const child = path.join(import.meta.dirname, 'testing/scoring-agent.js');

interface Life {
  /** Ended after so many rows. */
  readonly rows: number;
  readonly end: NodeJS.Signals;
  readonly stopped?: 'in time' | 'late';
}

/** Rows in warm-up of a life of the agent. */
async function live(dataDir: string, { rows, end, stopped = 'in time' }: Life): Promise<number> {
  const source = { type: 'simulated', name: 'plant', intervalMs: 5, lingerMs: 0 };
  const config = {
    stopped,
    gateway: 'gateway-1',
    dataDir,
    models: [bundle],
    uplink: { url: 'mqtt://127.0.0.1:1' }, // nobody listens there
    sources: [{ ...source, devices: [{ name: 'pump-1', type: 'pump' }] }],
  };
  const agent = spawn(process.execPath, [child, JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(agent, 'exit');
  let [seen, warmUp] = [0, 0];
  let ending: Promise<void> | undefined;
  try {
    for await (const line of createInterface(agent.stdout)) {
      const [all, warming] = line.split(' ').map(Number);
      if (seen < rows) assert.ok(!(await isSaved(dataDir)), 'gone before the first row');
      seen += all!;
      warmUp += warming!;
      if (seen >= rows) ending ??= endBy(agent, end, () => stopped === 'late' || isSaved(dataDir));
    }
  } finally {
    agent.kill('SIGKILL');
  }
  await ending;
  await ended;
  assert.ok(seen >= rows, `only ${seen} rows`);
  return warmUp;
}

/** A second signal, the deadline, once it has done what is expected of it until then. */
async function endBy(agent: ChildProcess, end: NodeJS.Signals, isDone: () => boolean | Promise<boolean>) {
  agent.kill(end);
  while (end === 'SIGTERM' && agent.exitCode === null && !(await isDone())) await sleep(10);
  agent.kill(end);
}

const isSaved = (dataDir: string) =>
  access(path.join(dataDir, 'scorer.state')).then(
    () => true,
    () => false,
  );

test('devices go on after a clean stop; after a kill, or a stop that took too long, they warm up', {
  timeout: 60_000,
}, async () => {
  const dataDir = await folder();
  const lives: (Life & { saved: boolean; warmUp: number })[] = [
    { rows: 80, end: 'SIGTERM', saved: true, warmUp: 60 },
    { rows: 5, end: 'SIGTERM', saved: true, warmUp: 0 },
    { rows: 5, end: 'SIGKILL', saved: false, warmUp: 0 },
    { rows: 80, end: 'SIGTERM', stopped: 'late', saved: false, warmUp: 60 },
    { rows: 65, end: 'SIGKILL', saved: false, warmUp: 60 },
  ];
  for (const [i, { saved, warmUp, ...life }] of lives.entries()) {
    assert.equal(await live(dataDir, life), warmUp, `life ${i + 1}`);
    assert.equal(await isSaved(dataDir), saved, `life ${i + 1}`);
  }
});

test('a disk that neither gives nor takes keeps nobody from starting or stopping', async () => {
  const dataDir = await folder();
  const lines: string[] = [];
  const saved = new SavedScores(dataDir, pino({}, { write: (line: string) => lines.push(line) }));
  const scorer = new Scorer({ models: [], log: silentLogger });
  await saved.load(scorer, 0);
  assert.deepEqual(lines, [], 'nothing was saved, which is no fault');
  await mkdir(path.join(dataDir, 'scorer.state/in-the-way'), { recursive: true });
  await saved.load(scorer, 0);
  await saved.save(scorer);
  assert.deepEqual(await readdir(dataDir), ['scorer.state']);
  await rm(dataDir, { recursive: true });
  await saved.save(scorer);
  assert.deepEqual(
    lines.map(line => (JSON.parse(line) as { msg: string }).msg.split(':')[0]),
    ['devices warm up', 'devices will warm up at the next start', 'devices will warm up at the next start'],
  );
});
