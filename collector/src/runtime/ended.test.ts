/** A consumer that ends although nobody asked it to must not look well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { Metrics } from '@edgeward/shared/metrics/metrics';
import { Consumer } from '../consumer.js';
import { healthOf } from '../health.js';
import { folderFor, openJournal } from '../journal/testing/blocks.js';
import { addSinkMetrics } from '../metrics/sink-metrics.js';
import { ScriptedSink } from '../testing/scripted-sink.js';

const never = new AbortController().signal;

test('a sink that has ended is told by its state, among the checks and in the metrics', async t => {
  await using journal = await openJournal(await folderFor(t));
  const sink = new ScriptedSink();
  const around = { journal, clock: systemClock, log: silentLogger, lingerMs: 1 };
  const consumer = new Consumer({ name: 'lake', sink, ...around });
  await consumer.open();
  const metrics = new Metrics();
  addSinkMetrics(metrics, () => ({ journal, followers: () => [consumer] }));
  const told = async (stopping = false) => {
    const broker = { status: { ok: true, detail: 'listening' } };
    const followers = [consumer];
    const rest = { trainings: [], untold: [], stopping, clock: systemClock };
    const parts = { ingest: { failure: null }, journal, broker, followers, ...rest };
    const check = healthOf(parts).checks.find(({ name }) => name === 'sink:lake');
    const up = /^collector_sink_up\{sink="lake"\} (\d)$/m.exec(await metrics.text())?.[1];
    return [consumer.state, check?.ok, check?.detail, up];
  };
  assert.deepEqual(await told(), ['running', true, '0 deliveries behind', '1']);
  journal.wait = () => Promise.reject(new TypeError('a fault of ours'));
  await assert.rejects(consumer.run(never, never), TypeError);
  assert.deepEqual(await told(), ['stopped', false, 'stopped, 0 deliveries behind', '0']);
  assert.equal((await told(true))[1], true, 'at the end they all do');
});
