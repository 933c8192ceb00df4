/** A collector whose clock runs faster than ours: `CONFIG FACTOR`. Ends on SIGTERM. */
import { collectorConfig } from '@edgeward/collector/config';
import { runCollector } from '@edgeward/collector/main';
import { systemClock } from '@edgeward/shared/clock';
import { loadConfig } from '@edgeward/shared/config';
import type { Clock } from '@edgeward/shared/contracts';
import { createLogger } from '@edgeward/shared/log';

const [file = '', factor = '1'] = process.argv.slice(2);
const config = await loadConfig(file, collectorConfig);
const stop = new AbortController();
const deadline = new AbortController();
process.once('SIGTERM', () => {
  stop.abort();
  setTimeout(() => deadline.abort(), 20_000).unref();
});
const log = createLogger('collector', config.log.level);
await runCollector({ config, log, clock: fasterClock(Number(factor)) }, stop.signal, deadline.signal);

/** Now is now when it starts. */
function fasterClock(times: number): Clock {
  const [nowMs, monotonicMs] = [systemClock.now(), systemClock.monotonic()];
  const passed = () => (systemClock.monotonic() - monotonicMs) * times;
  return {
    now: () => nowMs + passed(),
    monotonic: () => monotonicMs + passed(),
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}
