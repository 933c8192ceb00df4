/** The mails that a labelled case would have sent, and what a parser of its own finds made up in them. */
import type { Incident } from '@edgeward/collector/alerts/incident';
import { type MailKind, renderMail } from '@edgeward/collector/notifiers/mail';
import { readable, unfounded } from '@edgeward/collector/testing/mail-claims';
import type { Judged } from './judge-case.js';

export interface JudgedMail {
  readonly incident: Incident;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly unfounded: readonly string[];
}

/** One of each incident; as if it were just opened. */
export function mailsOf({ judged }: { readonly judged: Judged }): JudgedMail[] {
  const found = judged.verdicts.flatMap(({ incident }) => incident ?? []);
  return [...found, ...judged.others].map(incident => judgedMail('opened', incident));
}

export function judgedMail(kind: MailKind, incident: Incident): JudgedMail {
  const mail = renderMail({ kind, incident });
  const texts = [mail.subject, mail.text, readable(mail.html)];
  return { ...mail, incident, unfounded: texts.flatMap(text => unfounded(text, incident)) };
}
