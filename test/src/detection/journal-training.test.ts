/** A model from the journal of a real collector, by the command, on simulated machines. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { collectorConfig } from '@edgeward/collector/config';
import { Journal } from '@edgeward/collector/journal/journal';
import { runCollector } from '@edgeward/collector/main';
import { command } from '@edgeward/collector/models-command';
import { blocksOf, incoming } from '@edgeward/collector/training/testing/machines';
import { openModel } from '@edgeward/models/engines';
import { Scorer } from '@edgeward/models/scorer';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { freePort } from '../support/processes.js';
import { plantRows } from './plant-rows.js';

const never = new AbortController().signal;
const stepMs = 2000;
const hours = 2;
const startMs = Date.UTC(2026, 1, 3);
const devices = ['a', 'b'].map(letter => ({ name: `pump-${letter}`, type: 'pump' as const }));
const fault = { device: 'pump-a', kind: 'bearing-wear', severity: 1, atS: 3600, durationS: 900 } as const;

/** With what an agent would have flagged. */
function flagged({ batch, faulty }: ReturnType<typeof plantRows>[number]): RecordBatch {
  return { ...batch, model: 'former', anomaly: Uint8Array.from(faulty, Number) };
}

test('flagged faults are not learned: the model finds the same fault elsewhere, and is silent on healthy pumps', async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-training-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [api, config] = [await freePort(), path.join(folder, 'collector.yaml')];
  await writeFile(config, `api: { port: ${api} }\n`);
  const dataDir = path.join(folder, 'collector');
  const [past] = plantRows({ seed: 5, startMs, stepMs, devices, faults: [fault] }, hours);
  const usual = past!.faulty.filter(is => !is).length;
  {
    await using journal = await Journal.open({
      directory: path.join(dataDir, 'journal'),
      clock: systemClock,
      log: silentLogger,
    });
    await journal.append(blocksOf(flagged(past!), { rowsEach: 600 }).map(incoming));
  }
  const stop = new AbortController();
  let running = Promise.resolve();
  await new Promise<unknown>((resolve, reject) => {
    const parsed = collectorConfig.parse({ dataDir, api: { port: api }, broker: { port: 0 } });
    running = runCollector({ config: parsed, log: silentLogger, onListening: resolve }, stop.signal, never);
    running.catch(reject);
  });
  try {
    const stdout = new PassThrough();
    const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: never, deadline: never };
    await command.run({ config, train: ['pump'], json: true }, io);
    stdout.end();
    const { bundles, trainings } = JSON.parse(await text(stdout));
    assert.equal(trainings[0].leftOut.alarm, past!.batch.time.length - usual);
    assert.ok(trainings[0].rows > 0.9 * usual, `${trainings[0].rows} of ${usual}`);
    const bundle = path.join(dataDir, 'models', 'bundles', bundles[0].id);
    const model = await openModel(bundle, { engine: 'typescript', log: silentLogger });
    await using scorer = new Scorer({ models: [model], log: silentLogger });
    const [other] = plantRows({ seed: 8, startMs, stepMs, devices, faults: [fault] }, 1.5);
    const { anomaly } = await scorer.process(other!.batch);
    const begun = other!.faulty.indexOf(true);
    const isFirst = (r: number) => other!.batch.device[r] === 0;
    // Behind the fault its means still hold it.
    const well = anomaly!.filter((_, r) => !isFirst(r) || r < begun);
    assert.deepEqual([well.indexOf(1), well.length > 3000], [-1, true]);
    const found = anomaly!.filter((_, r) => other!.faulty[r]);
    const share = found.reduce((sum, flag) => sum + flag, 0) / found.length;
    assert.ok(share > 0.8, `${share} of ${found.length} faulty rows`);
  } finally {
    stop.abort();
    await running;
  }
});
