import { type Command, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import type { Source } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { createLogger } from '@edgeward/shared/log';
import { agentConfig } from './config.js';
import { runAgent } from './main.js';
import { isInjectable } from './sources/simulated.js';

/** `edgeward agent`. */
export const command: Command = {
  name: 'agent',
  summary: 'Run an agent: read devices, check, score, keep, forward',
  examples: ['edgeward agent -c agent.yaml'],
  options: { config: configFileOption },
  async run(values, io) {
    const config = await loadConfig(String(values.config), agentConfig);
    const log = createLogger('agent', config.log.level, config.trace !== undefined);
    await runAgent({ config, log, onSources: listenForFaults }, io.stop, io.deadline);
    return 0;
  },
};

/** Only under the demo, which is our parent process: it may ask a simulated plant to break something. */
function listenForFaults(sources: ReadonlyMap<string, Source>): void {
  if (!process.send) return;
  process.on('message', message => {
    const { inject } = message as { inject?: unknown };
    if (inject === undefined) return;
    process.send?.({ injected: tryInject(sources, inject) });
  });
  process.channel?.unref();
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM')); // whatever ends the demo ends us
  process.send({ ready: true });
}

function tryInject(sources: ReadonlyMap<string, Source>, fault: unknown): string | null {
  let refusal = 'no simulated source';
  for (const source of sources.values()) {
    if (!isInjectable(source)) continue;
    try {
      source.inject(fault as Parameters<typeof source.inject>[0]);
      return null;
    } catch (error) {
      refusal = messageOf(error);
    }
  }
  return refusal;
}
