import type { ChannelFacts, MailFacts } from './facts.js';

/** The mail for readers and clients that want no HTML. */
export function mailText(facts: MailFacts): string {
  const parts = [
    `${headlineOf(facts)}\n${facts.place}\n\n${facts.lead}`,
    section('What happened', [...facts.happened, ...channelLines(facts)]),
    section(
      'What to do',
      facts.actions.map((action, i) => `${i + 1}. ${action}`),
    ),
    section('Affected', pairs(facts.affected)),
    section('Why we think so', facts.why),
    section(
      'Timeline (UTC)',
      facts.timeline.map(([time, text]) => `${time}  ${text}`),
    ),
    facts.link ? `Details: ${facts.link}` : '',
    pairs(facts.ids).join('\n'),
  ];
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

function headlineOf({ closed, severity, title }: MailFacts): string {
  return `${closed ? 'CLOSED' : severity.toUpperCase()}: ${title}`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${'-'.repeat(title.length)}\n${lines.join('\n')}`;
}

function pairs(entries: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...entries.map(([label]) => label.length)) + 2;
  return entries.map(([label, value]) => `${`${label}:`.padEnd(width)}${value}`);
}

function channelLines({ channels, rangeLabel }: MailFacts): string[] {
  if (channels.length === 0) return [];
  const width = Math.max(...channels.map(channel => channel.name.length));
  return ['', ...channels.map(channel => channelLine(channel, width, rangeLabel.toLowerCase()))];
}

function channelLine(
  { name, value, range, direction, percent }: ChannelFacts,
  width: number,
  label: string,
): string {
  return `  ${name.padEnd(width)}  ${direction.padEnd(7)}  ${value}  (${label} ${range}; share ${percent} %)`;
}
