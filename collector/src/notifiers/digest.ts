/** Several incidents in one mail. */
import { createHash } from 'node:crypto';
import type { Severity } from '../alerts/incident.js';
import { rankOf } from '../alerts/severity.js';
import { placeOf } from './facts.js';
import { clean, escapeHtml, formatTime } from './format.js';
import type { MailRequest, RenderedMail } from './mail.js';
import { mailColours, mailPage } from './mail-html.js';

/** What a digest says of one mail that it stands for. */
export interface DigestEntry {
  readonly incidentId: string;
  readonly severity: Severity;
  readonly closed: boolean;
  readonly place: string;
  readonly title: string;
  readonly firstMs: number;
  readonly lead: string;
  readonly link?: string;
}

export function digestEntry(
  { kind, incident }: MailRequest,
  lead: string,
  link: string | undefined,
): DigestEntry {
  const { id, severity, title, firstMs } = incident;
  const closed = kind === 'closed';
  const place = placeOf(incident);
  return {
    incidentId: id,
    severity,
    closed,
    place,
    title: clean(title, 160),
    firstMs,
    lead,
    ...(link !== undefined && { link }),
  };
}

/** The same mails always make the same digest. */
export function digestId(mailIds: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([...mailIds].sort()));
  return `digest-${hash.digest('hex').slice(0, 16)}`;
}

const mostListed = 60;

/** @param entries  oldest first; of one incident the last counts */
export function renderDigest(entries: readonly DigestEntry[]): RenderedMail {
  const newest = [...new Map(entries.map(entry => [entry.incidentId, entry])).values()];
  const all = newest.sort((a, b) => rankOf(b.severity) - rankOf(a.severity) || a.firstMs - b.firstMs);
  const listed = all.slice(0, mostListed);
  const more = all.length - listed.length;
  const count = all.length === 1 ? '1 incident' : `${all.length} incidents`;
  const open = all.filter(({ closed }) => !closed).length;
  const lead = `${count}, ${open === 0 ? 'none' : open} still open when this was written.`;
  const subject = clean(`[digest] ${count}, ${open} open: ${placesOf(all)}`, 200);
  const rest = more > 0 ? `And ${more} more: see the page.` : '';
  const text = [lead, ...listed.map(entryText), ...(rest === '' ? [] : [rest])].join('\n\n');
  const body = `<h1 style="font-size:20px;line-height:1.3;margin:0 0 4px">${count}</h1>
<p style="margin:0">${escapeHtml(lead)}</p>
${listed.map(entryHtml).join('\n')}
${rest === '' ? '' : `<p>${rest}</p>`}`;
  return { subject, text: `${text}\n`, html: mailPage({ title: subject, lead, body }) };
}

function placesOf(entries: readonly DigestEntry[]): string {
  return [...new Set(entries.map(({ place }) => place))].join(', ');
}

function entryText({ severity, closed, place, title, firstMs, lead, link }: DigestEntry): string {
  const head = `${closed ? 'CLOSED' : severity.toUpperCase()}: ${title}`;
  return [head, `${place}, since ${formatTime(firstMs)}`, lead, ...(link ? [link] : [])].join('\n');
}

function entryHtml({ severity, closed, place, title, firstMs, lead, link }: DigestEntry): string {
  const colour = closed ? mailColours.closed : mailColours[severity];
  const name = `<bdi>${escapeHtml(title)}</bdi>`;
  // No colour of ours: links of the reader's client are legible on its ground.
  const head = link ? `<a href="${escapeHtml(link)}">${name}</a>` : name;
  return `<div style="border-left:4px solid ${colour};padding:2px 0 2px 14px;margin-top:18px">
<b style="overflow-wrap:anywhere">${head}</b>
<div style="font-size:13px">${closed ? 'closed' : severity} · <bdi>${escapeHtml(place)}</bdi> · ${formatTime(firstMs)}</div>
<div style="font-size:14px"><bdi>${escapeHtml(lead)}</bdi></div>
</div>`;
}
