import { isOddTogether, mainChannels } from './channels.js';
import type { Incident } from './incident.js';
import { surpriseDoing } from './surprise-text.js';

type Named = Pick<Incident, 'device' | 'detector' | 'source' | 'channels'>;

const maxNamed = 3;

/** What to triage on: `pump-1: dischargePressure high, flow low`. */
export function titleOf({ device, detector, source, channels }: Named): string {
  const main = mainChannels(channels);
  const outside = main.filter(channel => !isOddTogether(channel, detector));
  const named = (outside.length > 0 ? outside : main).slice(0, maxNamed);
  if (named.length === 0) return `${device}: ${detector === 'rule' ? `rule ${source}` : 'unusual readings'}`;
  if (detector === 'drift')
    return `${device}: drift of ${named.map(({ field }) => field).join(', ')}, its model is out of date`;
  const words = named.map((channel, i) => {
    const { field } = channel;
    const direction = isOddTogether(channel, detector) ? 'unusual' : channel.direction;
    if (detector === 'quality') return `${field} ${fault(source)}`;
    // What surprised is said of the first one.
    return `${field} ${detector === 'surprise' && i === 0 ? surpriseDoing(source, direction) : direction}`;
  });
  return `${device}: ${words.join(', ')}`;
}

function fault(source: string): string {
  return source === 'outOfRange' ? 'out of range' : source;
}
