/**
 * The mail as HTML: inline styles only, nothing from outside. Text and background are left to the reader's
 * client and all colours of ours are legible on both, so that it reads well in light and in dark.
 */
import type { CauseFacts, ChannelFacts, EvidenceFacts, MailFacts } from './facts.js';
import { escapeHtml } from './format.js';
import { footNote, wordingTitle } from './mail-text.js';

const font = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const line = 'rgba(128,128,128,.35)';
const quiet = 'opacity:.72';
export const mailColours = {
  critical: '#b42318',
  warning: '#a15c07',
  info: '#175cd3',
  closed: '#107a48',
} as const;
const arrows = { high: '▲', low: '▼', unusual: '◆' } as const;

/** Where the chart goes, once there is one. Names cannot forge it: their `<` is escaped. */
const chartSlot = '<!-- chart -->';

export interface InlineChart {
  /** `cid:…` or `data:…` */
  readonly src: string;
  readonly alt: string;
  readonly width: number;
  readonly height: number;
}

/** Fills the place of the chart, or closes it where there is none. */
export function withChart(html: string, chart: InlineChart | undefined): string {
  return html.replace(chartSlot, () => (chart ? image(chart) : ''));
}

function image({ src, alt, width, height }: InlineChart): string {
  const style = 'display:block;width:100%;height:auto;margin:10px 0 4px;border:0;border-radius:6px';
  return `<img src="${escapeHtml(src)}" alt="${escapeHtml(alt)}" width="${width}" height="${height}" style="${style}">`;
}

export function mailHtml(facts: MailFacts): string {
  const colour = facts.closed ? mailColours.closed : mailColours[facts.severity];
  const sections = [
    section(
      'What happened',
      facts.happened.map(paragraph).join('') + chartSlot + channelTable(facts, colour),
    ),
    section('Cause', causeList(facts, colour)),
    section('What to do', list(facts.actions)),
    facts.link ? button(facts.link, colour) : '',
    section('Affected', pairs(facts.affected)),
    section('Why we think so', evidenceList(facts) + facts.why.map(paragraph).join('')),
    wordingBox(facts),
    section('Timeline (UTC)', pairs(facts.timeline)),
  ];
  const body = `${header(facts, colour)}
${sections.filter(part => part !== '').join('\n')}
${footer(facts)}`;
  return mailPage({ title: facts.title, lead: facts.lead, body });
}

/**
 * The page around what a mail says.
 * @param title  plain text, as is the lead, which phones show below the subject
 * @param body  HTML
 */
export function mailPage({ title, lead, body }: { title: string; lead: string; body: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${named(title, false)}</title>
</head>
<body style="margin:0;padding:0;${font};font-size:15px;line-height:1.45">
<div style="display:none;max-height:0;overflow:hidden">${named(lead, false)}</div>
<div style="max-width:620px;margin:0 auto;padding:20px 16px">
${body}
</div>
</body>
</html>
`;
}

/** Isolated, so that right-to-left names cannot reorder the line around them. */
function named(text: string, isolated = true): string {
  return isolated ? `<bdi>${escapeHtml(text)}</bdi>` : escapeHtml(text);
}

function header({ closed, severity, place, title, lead }: MailFacts, colour: string): string {
  const word = closed ? 'closed' : severity;
  const badge = `display:inline-block;padding:2px 10px;border-radius:10px;background:${colour};color:#fff;font-size:12px;font-weight:600;letter-spacing:.04em;text-transform:uppercase`;
  return `<div style="border-left:4px solid ${colour};padding:2px 0 2px 14px">
<span style="${badge}">${word}</span>
<span style="font-size:13px;margin-left:6px;${quiet}">${named(place)}</span>
<h1 style="font-size:20px;line-height:1.3;margin:8px 0 4px;overflow-wrap:anywhere">${named(title)}</h1>
<p style="margin:0">${named(lead)}</p>
</div>`;
}

function section(title: string, body: string): string {
  if (body === '') return '';
  const style = `font-size:13px;font-weight:600;margin:22px 0 6px;letter-spacing:.02em;${quiet}`;
  return `<h2 style="${style}">${title}</h2>\n${body}`;
}

function paragraph(text: string): string {
  return `<p style="margin:0 0 6px">${named(text)}</p>`;
}

function list(items: readonly string[]): string {
  if (items.length === 0) return '';
  const rows = items.map(item => `<li style="margin:0 0 6px">${named(item)}</li>`).join('');
  return `<ol style="margin:0;padding-left:22px">${rows}</ol>`;
}

function causeList({ verdict, causes }: MailFacts, colour: string): string {
  if (verdict === '') return '';
  const rows = causes.map((cause, i) => causeRow(cause, i, colour)).join('');
  const table = `<table role="presentation" style="border-collapse:collapse;width:100%;font-size:14px">${rows}</table>`;
  return paragraph(verdict) + (rows === '' ? '' : table);
}

function causeRow({ cause, component, percent, evidence, against }: CauseFacts, i: number, colour: string) {
  const border = `border-top:1px solid ${line};vertical-align:top`;
  const facts = [
    `look at: ${component}`,
    ...(evidence === '' ? [] : [`for it: ${evidence}`]),
    ...(against === '' ? [] : [`against it: ${against}`]),
  ];
  return `<tr>
<td style="padding:8px 10px 8px 0;${border}">${i + 1}.</td>
<td style="padding:8px 0;width:100%;${border};overflow-wrap:anywhere"><b>${named(cause)}</b>
<div style="font-size:13px">${facts.map(fact => named(fact)).join(' · ')}</div>
${bar(percent, colour)}</td>
<td style="padding:8px 0 8px 10px;${border};text-align:right;font-weight:600;white-space:nowrap">${percent}&nbsp;%</td>
</tr>`;
}

function evidenceList({ evidence }: MailFacts): string {
  return evidence.length === 0
    ? ''
    : `<div style="margin:0 0 8px">${rowsOf(evidence.map(evidenceRow))}</div>`;
}

/** What a language model wrote stands in a box of its own, under its name. */
function wordingBox({ wording }: MailFacts): string {
  if (!wording) return '';
  const text = wording.paragraphs.map(paragraph).join('');
  const style = `margin:22px 0 0;padding:10px 14px 6px;border:1px dashed ${line};border-radius:6px`;
  return `<div style="${style}"><p style="margin:0 0 6px;font-size:12px;font-weight:600">${named(wordingTitle(wording.model))}</p>${text}</div>`;
}

function channelTable({ channels, rangeLabel }: MailFacts, colour: string): string {
  if (channels.length === 0) return '';
  const head = ['Channel', 'Value', rangeLabel].map((label, i) => headCell(label, i)).join('');
  const rows = channels.map(channel => channelRow(channel, colour)).join('');
  return `<table role="table" style="border-collapse:collapse;width:100%;margin-top:10px;font-size:14px">
<thead><tr>${head}</tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

function headCell(label: string, i: number): string {
  const place = i === 0 ? 'text-align:left;padding:0 6px 6px 0' : 'text-align:right;padding:0 0 6px 10px';
  return `<th scope="col" style="${place};font-size:12px;font-weight:600;border-bottom:1px solid ${line}">${label}</th>`;
}

function channelRow({ name, value, range, direction, percent }: ChannelFacts, colour: string): string {
  const border = `border-bottom:1px solid ${line};vertical-align:top`;
  const number = `padding:8px 0 8px 10px;${border};text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere`;
  return `<tr>
<td style="padding:8px 6px 8px 0;${border}"><b>${breakable(name)}</b>
<div style="font-size:13px;white-space:nowrap">${arrows[direction]} ${direction} <span style="${quiet}">· share ${percent}&nbsp;%</span></div>
${bar(percent, colour)}</td>
<td style="${number};font-weight:600"><div style="min-width:84px">${named(value)}</div></td>
<td style="${number}">${named(range)}</td>
</tr>`;
}

/** Long names may break between their words, not within them. */
function breakable(name: string): string {
  const parts = name.split(/(?<=[_.-])|(?<=[a-z0-9])(?=[A-Z])/);
  return `<bdi style="overflow-wrap:anywhere">${parts.map(escapeHtml).join('<wbr>')}</bdi>`;
}

function bar(percent: number, colour: string): string {
  const width = Math.max(2, Math.min(100, percent));
  return `<div style="margin-top:5px;width:96px;height:4px;background:${line}"><div style="width:${width}%;height:4px;background:${colour}"></div></div>`;
}

function button(link: string, colour: string): string {
  const style = `display:inline-block;margin-top:18px;padding:9px 18px;border-radius:6px;background:${colour};color:#fff;font-weight:600;text-decoration:none`;
  return `<a href="${escapeHtml(link)}" style="${style}">Open the incident</a>`;
}

function evidenceRow({ id, text, link }: EvidenceFacts): readonly [string, string] {
  const shown = named(text);
  return [named(id), link ? `<a href="${escapeHtml(link)}" style="color:inherit">${shown}</a>` : shown];
}

function pairs(entries: readonly (readonly [string, string])[]): string {
  return rowsOf(entries.map(([label, value]) => [named(label), named(value)]));
}

/** @param cells  HTML */
function rowsOf(cells: readonly (readonly [string, string])[]): string {
  if (cells.length === 0) return '';
  const rows = cells.map(
    ([label, value]) =>
      `<tr><td style="padding:2px 14px 2px 0;vertical-align:top;white-space:nowrap;${quiet}">${label}</td><td style="padding:2px 0;overflow-wrap:anywhere">${value}</td></tr>`,
  );
  return `<table role="presentation" style="border-collapse:collapse;font-size:14px">${rows.join('')}</table>`;
}

function footer({ ids }: MailFacts): string {
  const text = ids.map(([label, value]) => `${label} ${value}`).join(' · ');
  return `<p style="margin:24px 0 0;padding-top:10px;border-top:1px solid ${line};font-size:12px;overflow-wrap:anywhere;${quiet}">${named(text)}<br>${footNote}</p>`;
}
