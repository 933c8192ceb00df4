/** An agent of its own process, told by its parent; prints a line a scored batch: rows, and those in warm-up. */
import { Scorer } from '@edgeward/models/scorer';
import { silentLogger } from '@edgeward/shared/log';
import { Quality } from '@edgeward/shared/quality';
import { agentConfig } from '../../config.js';
import { runAgent } from '../../main.js';

const { stopped, ...config } = JSON.parse(process.argv[2]!) as { stopped: 'in time' | 'late' };
const [stop, deadline] = [new AbortController(), new AbortController()];
process.on('SIGTERM', () => {
  // Nobody gives receipts here: it ends when it is told a second time.
  if (stopped === 'late' || stop.signal.aborted) deadline.abort();
  stop.abort();
});

const score = Scorer.prototype.process;
Scorer.prototype.process = async function (batch) {
  const scored = await score.call(this, batch);
  const warmUp = scored.quality.filter(quality => quality & Quality.warmUp).length;
  process.stdout.write(`${scored.time.length} ${warmUp}\n`);
  return scored;
};
await runAgent({ config: agentConfig.parse(config), log: silentLogger }, stop.signal, deadline.signal);
