/** A mail as it goes over the wire; the same mail always gives the same bytes. */
import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { Severity } from '../alerts/incident.js';
import type { StoredChart } from './charts.js';
import { hostOf, isUpdate } from './mail.js';
import { withChart } from './mail-html.js';
import type { Letter } from './mail-queue.js';
import type { QueuedMail } from './queued-mail.js';

export interface OutgoingMail extends Letter {
  readonly kind: QueuedMail['kind'];
  readonly severity: Severity | undefined;
  readonly incidentId: string | null;
  readonly from: string;
  readonly to: readonly string[];
  readonly messageId: string;
  /** Earlier mails of the thread, oldest first. */
  readonly references: readonly string[];
  readonly createdMs: number;
}

/** For nodemailer. */
export function messageOptions(mail: OutgoingMail, collector: string | undefined) {
  const { from, to, subject, text, html, chart, messageId, references, createdMs, severity, kind } = mail;
  const first = references[0];
  const cid = `chart.${messageId.slice(1, -1)}`;
  return {
    from,
    to: [...to],
    subject,
    text,
    html: withChart(html, chart && { ...chart, src: `cid:${cid}` }),
    ...(chart && { attachments: [attachment(chart, cid)] }),
    messageId,
    // Every try sends the same bytes.
    baseBoundary: createHash('sha256').update(messageId).digest('hex').slice(0, 24),
    date: new Date(createdMs),
    ...(first !== undefined && { inReplyTo: first, references: [...references] }),
    ...(severity === 'critical' && kind !== 'closed' && { priority: 'high' as const }),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'List-Id': `<incidents.${collector ?? 'collector'}.${hostOf(from)}>`,
      'X-Edgeward-Kind': isUpdate(kind) ? 'update' : kind,
      ...(severity !== undefined && { 'X-Edgeward-Severity': severity }),
      ...(mail.incidentId !== null && { 'X-Edgeward-Incident': mail.incidentId }),
    },
  };
}

function attachment({ png }: StoredChart, cid: string) {
  return {
    filename: 'chart.png',
    content: Buffer.from(png, 'base64'),
    contentType: 'image/png',
    contentDisposition: 'inline' as const,
    cid,
  };
}

/** The bytes themselves, for whoever has no server. */
export async function wireOf(mail: OutgoingMail, collector: string | undefined): Promise<Buffer> {
  const transport = createTransport({ streamTransport: true, buffer: true });
  const { message } = await transport.sendMail(messageOptions(mail, collector));
  return message as Buffer;
}
