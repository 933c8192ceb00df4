/**
 * Follows a filled journal with one sink, as a collector does: once for so many rows to warm up, then from its
 * beginning to its end. `node sink-process.js FOLDER WARM CONFIG` prints one line of JSON.
 */
import { Consumer } from '@edgeward/collector/consumer';
import type { Journal } from '@edgeward/collector/journal/journal';
import { createSink, sinkConfig } from '@edgeward/collector/sinks/index';
import { systemClock } from '@edgeward/shared/clock';
import { createLogger, silentLogger } from '@edgeward/shared/log';
import { residentOf } from './process-usage.js';
import { openBenchJournal } from './sink-journal.js';

export interface SinkRun {
  readonly seconds: number;
  readonly cpuS: number;
  readonly peakBytes: number;
}

const [folder = '', warmShare = '', text = ''] = process.argv.slice(2);
const never = new AbortController().signal;
const { warm, run } = JSON.parse(text);
const told = createLogger('bench', 'warn');

/** Until it has stored that share of the journal. */
async function follow(journal: Journal, options: object, share: number): Promise<void> {
  const config = sinkConfig.parse(options);
  // A part ends by being cut off, which would be told as a failure.
  const log = share === 1 ? told : silentLogger;
  const refuse = () => Promise.reject(new Error('the sink refused rows'));
  const { name } = config;
  await using sink = createSink(config, { name, collector: 'bench', log, clock: systemClock, refuse });
  const enough = new AbortController();
  const onStored = () => {
    if (consumer.position >= journal.position * share) enough.abort();
  };
  const consumer = new Consumer({ name, sink, journal, clock: systemClock, log, lingerMs: 0, onStored });
  await consumer.open();
  // The whole journal ends by itself once it is stored; a part of it is cut off.
  if (share === 1) await consumer.run(AbortSignal.abort(), never);
  else await consumer.run(enough.signal, enough.signal);
  if (consumer.position < journal.position * share) throw new Error('the sink did not store all');
}

await using journal = await openBenchJournal(folder);
await follow(journal, warm, Number(warmShare));
const [began, cpu] = [performance.now(), process.cpuUsage()];
await follow(journal, run, 1);
const { user, system } = process.cpuUsage(cpu);
const result: SinkRun = {
  seconds: (performance.now() - began) / 1000,
  cpuS: (user + system) / 1e6,
  peakBytes: residentOf(process.pid)?.anonBytes ?? 0,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
