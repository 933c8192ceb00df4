import { type Command, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { createLogger } from '@edgeward/shared/log';
import { collectorConfig } from './config.js';
import { demoLink } from './demo-link.js';
import { runCollector } from './main.js';

/** `edgeward collector`. */
export const command: Command = {
  name: 'collector',
  summary: 'Run a collector: broker, journal, sinks, incidents, mails, live page',
  examples: ['edgeward collector -c collector.yaml'],
  options: { config: configFileOption },
  async run(values, io) {
    const load = () => loadConfig(String(values.config), collectorConfig);
    const config = await load();
    const log = createLogger('collector', config.log.level, config.trace !== undefined);
    const onListening = (ports: object) => process.send?.({ listening: ports });
    stopWithParent();
    const onReload = (reload: () => void) =>
      io.hangUps?.listen(() => {
        if (io.stop.aborted) log.warn('SIGHUP while it stops: the configuration is not read again');
        else reload();
      });
    const options = { config, log, load, onReload, demo: demoLink(), onListening };
    await runCollector(options, io.stop, io.deadline);
    process.channel?.unref();
    return 0;
  },
};

/** Under the demo: whatever ends the demo ends us, in order. */
function stopWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
