/**
 * An agent whose source has its columns ready, as a process of its own: `CONFIG OPTIONS`, a configuration file and
 * `ColumnarRun` as JSON. It answers every message with its `Marks`, `save` by doing so as well, and tells them once more at its end.
 */
import { agentConfig } from '@edgeward/agent/config';
import { runAgent } from '@edgeward/agent/main';
import { systemClock } from '@edgeward/shared/clock';
import { loadConfig } from '@edgeward/shared/config';
import { createLogger } from '@edgeward/shared/log';
import { type ColumnarOptions, ColumnarSource } from './columnar-source.js';

export interface ColumnarRun extends ColumnarOptions {
  /** Readings after which measuring begins: compiled by then. */
  readonly warmUpReadings: number;
}

export interface Mark {
  /** Handed over and admitted. */
  readonly readings: number;
  /** User and system, µs. */
  readonly cpuUs: number;
  readonly atMs: number;
}

export interface Marks {
  /** Undefined before the warm-up is over. */
  readonly warm: Mark | undefined;
  readonly now: Mark;
  /** How late the beats after the warm-up were, ms. */
  readonly latenessMs: readonly number[];
  /** Nothing is promised any more: all is stored or journaled, and the stores are closed. */
  readonly ended: boolean;
}

const [file = '', text = '{}'] = process.argv.slice(2);
const options = JSON.parse(text) as ColumnarRun;
const config = await loadConfig(file, agentConfig);
const stop = new AbortController();
const deadline = new AbortController();
process.once('SIGTERM', () => {
  stop.abort();
  setTimeout(() => deadline.abort(), 30_000).unref();
});

let readings = 0;
let warm: Mark | undefined;
let warmBeats = 0;
const source = new ColumnarSource(options, systemClock, more => {
  readings += more;
  if (warm || readings < options.warmUpReadings) return;
  warm = mark();
  warmBeats = source.latenessMs.length;
});

function mark(): Mark {
  const { user, system } = process.cpuUsage();
  return { readings, cpuUs: user + system, atMs: performance.now() };
}

function tell(ended: boolean): void {
  const marks: Marks = { warm, now: mark(), latenessMs: source.latenessMs.slice(warmBeats), ended };
  process.send?.(marks);
}

process.on('message', message => {
  if (message === 'save') source.save();
  tell(false);
});
process.channel?.unref();
const log = createLogger('agent', config.log.level);
await runAgent({ config, log, createSource: () => source }, stop.signal, deadline.signal);
tell(true);
process.disconnect?.();
