import type { TraceContext } from '@edgeward/shared/contracts';
import type { Severity } from '../alerts/incident.js';
import { peakOf } from '../alerts/severity.js';
import type { MailView } from '../views.js';
import type { MailConfig } from './config.js';
import { type DigestEntry, digestEntry, digestId, renderDigest } from './digest.js';
import { linkTo, mailFacts } from './facts.js';
import { type MailKind, type MailRequest, mailId, messageId, type RenderedMail, renderMail } from './mail.js';
import type { Letter } from './mail-queue.js';
import type { OutgoingMail } from './mime.js';
import { type PlotSpec, plotSpec } from './plot.js';
import { isHeld, recipientsOf } from './recipients.js';

export interface QueuedMail {
  readonly view: MailView;
  readonly kind: MailKind | 'digest';
  /** In what order they were queued. */
  readonly order: number;
  readonly messageId: string;
  readonly references: readonly string[];
  /** Recipients that have neither accepted it nor refused it for good. */
  readonly pending: readonly string[];
  readonly refused: readonly string[];
  readonly attempts: number;
  /** Absent in digests. */
  readonly severity?: Severity;
  /** What its chart is to show; gone once that is drawn or given up. */
  readonly plot?: PlotSpec;
  /** While it waits for a digest: what that will say of it. */
  readonly entry?: DigestEntry;
  /** Where its span hangs. */
  readonly trace?: TraceContext;
}

export interface NewMail {
  readonly mail: QueuedMail;
  readonly body: RenderedMail;
}

export interface Circumstances {
  readonly config: MailConfig;
  /** Name of the collector, in message ids. */
  readonly collector: string | undefined;
  /** Whether charts are drawn at all. */
  readonly drawn: boolean;
  readonly order: number;
  readonly nowMs: number;
  /** Mails about the same incident, oldest first. */
  readonly thread: readonly QueuedMail[];
}

export function newMail(request: MailRequest, circumstances: Circumstances): NewMail {
  const { config, collector, drawn, order, nowMs, thread } = circumstances;
  const { kind, incident, trace } = request;
  const body = renderMail(request, config.linkBase);
  // Whoever has read that it began hears how it went on.
  const to = [...new Set([...recipientsOf(config, incident), ...thread.flatMap(({ view }) => view.to)])];
  // Whoever was woken by it is told at once that it is over.
  const severity = kind === 'closed' ? peakOf(incident) : incident.severity;
  const held = config.smtp !== undefined && isHeld(config, severity, nowMs);
  const plot = drawn ? plotSpec(incident) : undefined;
  const view: MailView = {
    id: mailId(incident.id, kind),
    incidentId: incident.id,
    createdMs: nowMs,
    sentMs: null,
    ...(!config.smtp
      ? { state: 'kept', reason: 'no SMTP server is configured' }
      : held
        ? { state: 'held', reason: 'waits for the next digest' }
        : { state: 'queued', reason: null }),
    from: config.from,
    to,
    subject: body.subject,
  };
  const idOf = (one: MailKind) => messageId(incident.id, one, config.from, collector);
  const earlier = thread.map(mail => mail.messageId);
  const references = kind === 'opened' ? [] : earlier.length > 0 ? earlier : [idOf('opened')];
  return {
    body,
    mail: {
      view,
      kind,
      order,
      messageId: idOf(kind),
      references,
      pending: to,
      refused: [],
      attempts: 0,
      severity,
      ...(plot && { plot }),
      ...(held && { entry: entryOf(request, config) }),
      ...(trace && { trace }),
    },
  };
}

function entryOf(request: MailRequest, { linkBase }: MailConfig): DigestEntry {
  const { incident } = request;
  return digestEntry(request, mailFacts(request, linkBase).lead, linkTo(incident, linkBase));
}

/** One mail in place of several that went to the same recipients, oldest first; at least one. */
export function newDigest(
  mails: readonly QueuedMail[],
  { config, collector, order, nowMs }: Omit<Circumstances, 'thread' | 'drawn'>,
): NewMail {
  const id = digestId(mails.map(({ view }) => view.id));
  const body = renderDigest(mails.flatMap(({ entry }) => entry ?? []));
  const to = mails[0]!.view.to;
  const view: MailView = {
    id,
    incidentId: null,
    createdMs: nowMs,
    sentMs: null,
    state: 'queued',
    reason: null,
    from: config.from,
    to,
    subject: body.subject,
  };
  const ids = { messageId: messageId(id, undefined, config.from, collector), references: [] };
  return { body, mail: { view, kind: 'digest', order, ...ids, pending: to, refused: [], attempts: 0 } };
}

/** Its part in the digest is all of it that is sent. */
export function merged({ entry: _, plot: __, ...mail }: QueuedMail, digest: string): QueuedMail {
  return { ...mail, pending: [], view: { ...mail.view, state: 'merged', reason: `in ${digest}` } };
}

/** The only one of its digest: it goes as it is. */
export function released({ entry: _, ...mail }: QueuedMail): QueuedMail {
  return { ...mail, view: { ...mail.view, state: 'queued', reason: null } };
}

/** Together with what it says, all that is sent. */
export function outgoing(mail: QueuedMail, letter: Letter): OutgoingMail {
  const { view, messageId, references, kind, severity } = mail;
  const { from, to, createdMs, incidentId } = view;
  return { ...letter, from, to, createdMs, references, messageId, kind, severity, incidentId };
}
