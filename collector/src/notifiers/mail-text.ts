import type { ChannelFacts, EvidenceFacts, MailFacts } from './facts.js';

export const footNote = 'Sent by Edgeward. Answering this mail reaches nobody who can change the machine.';

/** The mail for readers and clients that want no HTML. */
export function mailText(facts: MailFacts): string {
  const parts = [
    `${headlineOf(facts)}\n${facts.place}\n\n${facts.lead}`,
    section('What happened', [...facts.happened, ...channelLines(facts)]),
    section('Cause', causeLines(facts)),
    section(
      'What to do',
      facts.actions.map((action, i) => `${i + 1}. ${action}`),
    ),
    section('Affected', pairs(facts.affected)),
    section('Why we think so', [...facts.evidence.map(evidenceLine), ...facts.why]),
    wordingLines(facts),
    section(
      'Timeline (UTC)',
      facts.timeline.map(([time, text]) => `${time}  ${text}`),
    ),
    facts.link ? `Details: ${facts.link}` : '',
    pairs(facts.ids).join('\n'),
    footNote,
  ];
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

function evidenceLine({ id, text, link }: EvidenceFacts): string {
  return link === undefined ? `${id}: ${text}` : `${id}: ${text}\n    ${link}`;
}

function headlineOf({ closed, severity, title }: MailFacts): string {
  return `${closed ? 'CLOSED' : severity.toUpperCase()}: ${title}`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${'-'.repeat(title.length)}\n${lines.join('\n')}`;
}

function causeLines({ verdict, causes }: MailFacts): string[] {
  const lines = causes.map(
    ({ cause, component, percent, evidence, against }, i) =>
      `${i + 1}. ${cause}: ${percent} % (${[`look at: ${component}`, ...words(evidence, against)].join('; ')})`,
  );
  return verdict === '' ? [] : [verdict, ...lines];
}

function words(evidence: string, against: string): string[] {
  return [
    ...(evidence === '' ? [] : [`for it: ${evidence}`]),
    ...(against === '' ? [] : [`against it: ${against}`]),
  ];
}

function wordingLines({ wording }: MailFacts): string {
  if (!wording) return '';
  const title = wordingTitle(wording.model);
  return section(
    title,
    wording.paragraphs.map(line => `| ${line}`),
  );
}

/** Where the words of a language model begin. */
export function wordingTitle(model: string, what = 'mail'): string {
  return `In other words (by the language model ${model}; all else in this ${what} is Edgeward's own)`;
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
