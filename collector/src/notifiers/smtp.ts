import { readFile } from 'node:fs/promises';
import { readSecret } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { createTransport, type NodemailerError, type Transporter } from 'nodemailer';
import type { SmtpConfig } from './config.js';
import { messageOptions, type OutgoingMail } from './mime.js';

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

/** Silence of the server. */
const silenceMs = 30_000;
/** One mail altogether: a server may also trickle for ever. */
const mailMs = 120_000;

export interface SenderOptions {
  /** Name of the collector, for filters. */
  readonly collector?: string | undefined;
  readonly silenceMs?: number;
  readonly mailMs?: number;
}

/** One connection a mail: mails are rare, and a kept connection is one more thing that can be half dead. */
export class SmtpSender implements MailSender {
  readonly #config: SmtpConfig;
  readonly #options: SenderOptions;

  constructor(config: SmtpConfig, options: SenderOptions = {}) {
    this.#config = config;
    this.#options = options;
  }

  async send(mail: OutgoingMail, recipients: readonly string[], deadline: AbortSignal): Promise<MailOutcome> {
    const transport = await this.#transport();
    const late = AbortSignal.timeout(this.#options.mailMs ?? mailMs);
    try {
      const info = await transport.sendMail({
        ...messageOptions(mail, this.#options.collector),
        envelope: { from: addressOf(mail.from), to: recipients.map(addressOf) },
        signal: AbortSignal.any([deadline, late]),
      });
      return outcomeOf(recipients, info.rejectedErrors ?? []);
    } catch (error) {
      return outcomeOfFailure(error, recipients);
    } finally {
      transport.close();
    }
  }

  async #transport(): Promise<Transporter> {
    const { host, port, secure, user, password, ca } = this.#config;
    // Read anew each time: a corrected password file needs no restart.
    const pass = password ? await readSecret(password) : '';
    const trusted = ca === undefined ? undefined : await readFile(ca, 'utf8');
    const timeoutMs = this.#options.silenceMs ?? silenceMs;
    return createTransport({
      host,
      port,
      secure: secure === 'tls',
      requireTLS: secure === 'starttls',
      ignoreTLS: secure === 'none',
      ...(user && { auth: { user, pass } }),
      ...(trusted !== undefined && { tls: { ca: trusted } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }
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
