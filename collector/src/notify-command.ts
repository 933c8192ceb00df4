import { randomBytes } from 'node:crypto';
import { type Command, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { EdgewardError } from '@edgeward/shared/errors';
import { type CollectorConfig, collectorConfig } from './config.js';
import { eventOf, type IncidentEvent } from './notifiers/http/event.js';
import { attempt } from './notifiers/http/notice-courier.js';
import { targetsOf } from './notifiers/http/notifiers.js';
import type { Target } from './notifiers/http/target.js';
import { samples } from './notifiers/samples.js';

/** `edgeward notify`. */
export const command: Command = {
  name: 'notify',
  summary: 'Send a test to a Slack channel or webhook, or show what it would get',
  examples: [
    'edgeward notify --test shift -c collector.yaml',
    'edgeward notify --preview shift -c collector.yaml',
  ],
  options: {
    config: configFileOption,
    test: {
      type: 'string',
      placeholder: 'NAME',
      description: 'send one sample to this notifier, marked as a test, and tell the answer',
    },
    preview: {
      type: 'string',
      placeholder: 'NAME',
      description: 'print what it would get, *** in place of secrets; nothing is sent',
    },
  },
  async run(values, { stdout, stop }) {
    const config = await loadConfig(String(values.config), collectorConfig);
    const name = values.test ?? values.preview;
    if (typeof name !== 'string' || (values.test !== undefined && values.preview !== undefined))
      throw new EdgewardError('EW_USAGE', 'Say either --test NAME or --preview NAME.');
    const target = targetNamed(config, name);
    const event = sampleEvent(config);
    if (values.preview !== undefined) {
      stdout.write(`${target.shown(event)}\n`);
      return 0;
    }
    const outcome = await attempt(target, event, stop, Date.now());
    if (outcome.kind === 'sent') {
      stdout.write(`${name}: sent, as delivery ${event.id}\n`);
      return 0;
    }
    const more = outcome.kind === 'later' ? ' (the collector would try again)' : '';
    stdout.write(`${name}: not sent: ${outcome.reason}${more}\n`);
    return 1;
  },
};

function targetNamed({ notify }: CollectorConfig, name: string): Target {
  const targets = targetsOf(notify);
  const found = targets.find(({ config }) => config.name === name);
  if (found) return found;
  const names = targets.map(({ config }) => config.name).join(', ') || 'none';
  throw new EdgewardError('EW_USAGE', `There is no notifier ${name} under notify; there are: ${names}.`);
}

/** With an id of its own: receivers drop what they have had before. */
function sampleEvent({ name: collector, mail: { linkBase } }: CollectorConfig): IncidentEvent {
  const incident = { ...samples[0]!.incident, id: `test-${randomBytes(8).toString('hex')}` };
  return eventOf({ kind: 'opened', incident }, { collector, linkBase, nowMs: Date.now(), test: true });
}
