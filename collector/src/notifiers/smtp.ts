import { readSecret } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { createTransport, type NodemailerError, type Transporter } from 'nodemailer';
import type { SmtpConfig } from './config.js';
import type { RenderedMail } from './mail.js';

export interface OutgoingMail extends RenderedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly messageId: string;
  /** Earlier mails of the thread, oldest first. */
  readonly references: readonly string[];
  readonly createdMs: number;
}

/** What became of one attempt, for each recipient. */
export interface MailOutcome {
  readonly accepted: readonly string[];
  /** Refused for now (4xx). */
  readonly later: readonly string[];
  /** Refused for good (5xx). */
  readonly refused: readonly string[];
  /** What the server said to those that were not accepted. */
  readonly reason: string | null;
}

export interface MailSender {
  /**
   * @param recipients  those of `to` that have not accepted it yet
   * @throws EW_NOTIFY if the server cannot be used now: nothing else is worth trying either
   */
  send(mail: OutgoingMail, recipients: readonly string[], deadline: AbortSignal): Promise<MailOutcome>;
}

const timeoutMs = 30_000;

/** One connection a mail: mails are rare, and a kept connection is one more thing that can be half dead. */
export class SmtpSender implements MailSender {
  readonly #config: SmtpConfig;

  constructor(config: SmtpConfig) {
    this.#config = config;
  }

  async send(mail: OutgoingMail, recipients: readonly string[], deadline: AbortSignal): Promise<MailOutcome> {
    const transport = await this.#transport();
    try {
      const info = await transport.sendMail({
        ...messageOptions(mail),
        envelope: { from: addressOf(mail.from), to: recipients.map(addressOf) },
        signal: deadline,
      });
      return outcomeOf(recipients, info.rejectedErrors ?? []);
    } catch (error) {
      return outcomeOfFailure(error, recipients);
    } finally {
      transport.close();
    }
  }

  async #transport(): Promise<Transporter> {
    const { host, port, secure, user, password } = this.#config;
    // Read anew each time: a corrected password file needs no restart.
    const pass = password ? await readSecret(password) : '';
    return createTransport({
      host,
      port,
      secure: secure === 'tls',
      requireTLS: secure === 'starttls',
      ignoreTLS: secure === 'none',
      ...(user && { auth: { user, pass } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }
}

function messageOptions(mail: OutgoingMail) {
  const { from, to, subject, text, html, messageId, references, createdMs } = mail;
  const first = references[0];
  return {
    from,
    to: [...to],
    subject,
    text,
    html,
    messageId,
    date: new Date(createdMs),
    ...(first && { inReplyTo: first, references: [...references] }),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  };
}

/** `a@b` of `Name <a@b>`. */
function addressOf(mailbox: string): string {
  return /<([^<>]+)>$/.exec(mailbox)?.[1] ?? mailbox;
}

function outcomeOf(recipients: readonly string[], errors: readonly NodemailerError[]): MailOutcome {
  const errorOf = new Map(errors.map(error => [error.recipient, error]));
  const failed = (permanent: boolean) =>
    recipients.filter(one => {
      const error = errorOf.get(addressOf(one));
      return error !== undefined && (error.permanent ?? false) === permanent;
    });
  return {
    accepted: recipients.filter(one => !errorOf.has(addressOf(one))),
    later: failed(false),
    refused: failed(true),
    reason: errors.length === 0 ? null : errors.map(error => error.response ?? error.message).join('; '),
  };
}

const aboutTheMail = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);

function outcomeOfFailure(error: unknown, recipients: readonly string[]): MailOutcome {
  const { command, code, responseCode, permanent, rejectedErrors } = error as NodemailerError;
  if (rejectedErrors?.length) return outcomeOf(recipients, rejectedErrors);
  const reason = (error as NodemailerError).response ?? messageOf(error);
  // What the library itself refuses (no such address, too large for the server) will not change.
  const refusedHere = responseCode === undefined && (code === 'EENVELOPE' || code === 'EMESSAGE');
  // 421: the server is closing down, whatever command that answered.
  const answered = responseCode !== undefined && responseCode !== 421 && aboutTheMail.has(command ?? '');
  if (!answered && !refusedHere) throw new EdgewardError('EW_NOTIFY', reason, { cause: error });
  const final = refusedHere || permanent === true;
  return {
    accepted: [],
    later: final ? [] : recipients,
    refused: final ? recipients : [],
    reason,
  };
}
