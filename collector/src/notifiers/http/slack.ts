/**
 * An event as a Slack message. Nothing in it is mrkdwn but the fallback text, which is escaped and has formatting off:
 * names stand in `plain_text` and in the `text` elements of `rich_text`, where no mention, link or formatting is read.
 */
import { cut, formatTime } from '../format.js';
import { wordingTitle } from '../mail-text.js';
import type { EventCause, EventChannel, IncidentEvent } from './event.js';

type Block = Readonly<Record<string, unknown>>;

const headerChars = 150;
const fieldChars = 500;
const textChars = 2900;
/** Of all blocks together Slack takes more; a message longer than this nobody reads. */
const most = { channels: 5, causes: 3, evidence: 8, actions: 6, affected: 8 };

/** The body for an incoming webhook. */
export function slackMessage(event: IncidentEvent): Record<string, unknown> {
  const { data, collector } = event;
  const tag = data.event === 'closed' ? 'closed' : data.severity;
  const head = `[${tag}] ${data.title}`;
  const blocks = [
    { type: 'header', text: plain(head, headerChars) },
    { type: 'section', fields: fieldsOf(event) },
    rich(
      section([data.summary, ...data.happened].join('\n')),
      list(data.channels.slice(0, most.channels).map(channelLine)),
    ),
    ...part('Cause', data.verdictText, data.causes.slice(0, most.causes).map(causeLine), 'ordered'),
    ...part('What to do', '', data.actions.slice(0, most.actions), 'ordered'),
    ...part(
      'Why',
      '',
      data.evidence.slice(0, most.evidence).map(({ id, text }) => `${id}: ${text}`),
    ),
    ...part(
      'Affected',
      '',
      data.affected.slice(0, most.affected).map(({ label, value }) => `${label}: ${value}`),
    ),
    ...wordingOf(event),
    ...linkOf(data.link),
    {
      type: 'context',
      elements: [plain(`Edgeward, collector ${collector}, incident ${data.incident}`, fieldChars)],
    },
  ];
  const text = [`${head} (${data.place})`, data.summary, data.verdictText]
    .filter(one => one !== '')
    .join('\n');
  return { text: slackText(text, textChars), mrkdwn: false, blocks };
}

const eventWords = {
  opened: 'opened',
  critical: 'became critical',
  updated: 'another cause is likely',
  closed: 'over',
} as const;

function fieldsOf({ data, test }: IncidentEvent): Block[] {
  const { severity, place, device, deviceType, since, closedAt } = data;
  const fields: [string, string][] = [
    ['Severity', severity],
    ['Event', eventWords[data.event]],
    ['Place', place],
    ['Device', `${device} (${deviceType})`],
    ['Since', since === null ? 'unknown' : formatTime(Date.parse(since))],
    ...(closedAt === null ? [] : [['Over', formatTime(Date.parse(closedAt))] as [string, string]]),
    ...(test ? [['Test', 'sent by hand, there is no such incident'] as [string, string]] : []),
  ];
  return fields.map(([label, value]) => plain(`${label}\n${value}`, fieldChars));
}

function channelLine({ name, shown, usual, direction }: EventChannel): string {
  return `${name} ${direction}: ${shown} (usual or limit: ${usual})`;
}

function causeLine({ cause, component, probability, evidence, against }: EventCause): string {
  const reasons = [
    `look at: ${component}`,
    ...(evidence.length > 0 ? [`for it: ${evidence.join(', ')}`] : []),
    ...(against.length > 0 ? [`against it: ${against.join(', ')}`] : []),
  ];
  return `${cause}: ${Math.round(100 * probability)} % (${reasons.join('; ')})`;
}

function part(
  title: string,
  text: string,
  lines: readonly string[],
  style: 'bullet' | 'ordered' = 'bullet',
): Block[] {
  if (text === '' && lines.length === 0) return [];
  const heading = { type: 'text', text: text === '' ? title : `${title}\n`, style: { bold: true } };
  const said = text === '' ? [] : [{ type: 'text', text: cut(text, textChars) }];
  return [rich({ type: 'rich_text_section', elements: [heading, ...said] }, list(lines, style))];
}

/** Set apart, under the name of the model. */
function wordingOf({ data: { wording } }: IncidentEvent): Block[] {
  if (!wording) return [];
  const title = { type: 'text', text: wordingTitle(wording.model, 'message'), style: { italic: true } };
  const quote = { type: 'rich_text_quote', elements: [{ type: 'text', text: cut(wording.text, textChars) }] };
  return [rich({ type: 'rich_text_section', elements: [title] }, quote)];
}

function linkOf(link: string | null): Block[] {
  if (link === null) return [];
  const button = { type: 'button', action_id: 'open', text: plain('Open the incident', 75), url: link };
  return [{ type: 'actions', elements: [button] }];
}

function rich(...elements: (Block | undefined)[]): Block {
  return { type: 'rich_text', elements: elements.filter(one => one !== undefined) };
}

/** Slack refuses the whole message for one empty text. */
function section(text: string): Block {
  const said = cut(text === '' ? '–' : text, textChars);
  return { type: 'rich_text_section', elements: [{ type: 'text', text: said }] };
}

function list(lines: readonly string[], style: 'bullet' | 'ordered' = 'bullet'): Block | undefined {
  if (lines.length === 0) return undefined;
  return { type: 'rich_text_list', style, elements: lines.map(line => section(cut(line, fieldChars))) };
}

function plain(text: string, maxChars: number): Block {
  return { type: 'plain_text', text: slackText(text, maxChars), emoji: false };
}

const signs: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** The three characters that Slack reads as control characters; never cut within one. */
function slackText(text: string, maxChars = Number.POSITIVE_INFINITY): string {
  const parts: string[] = [];
  let length = 0;
  for (const sign of text) {
    const part = signs[sign] ?? sign;
    if (length + part.length > maxChars - 1) return `${parts.join('')}…`;
    parts.push(part);
    length += part.length;
  }
  return parts.join('');
}
