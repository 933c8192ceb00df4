import { secret } from '@edgeward/shared/config';
import { z } from 'zod';

const mailbox = /^(?:[^<>\p{Cc}]{1,100}<[^\s<>@,;]+@[^\s<>@,;]+>|[^\s<>@,;]+@[^\s<>@,;]+)$/u;

function mailboxOption() {
  return z.string().max(320).regex(mailbox, 'not a mail address: write name@host or Name <name@host>');
}

export const smtpConfig = z.strictObject({
  host: z
    .string()
    .min(1)
    .meta({ description: 'SMTP server', examples: ['smtp.plant.example'] }),
  port: z.int().min(1).max(65_535).default(587).meta({ description: 'Its port' }),
  secure: z.enum(['starttls', 'tls', 'none']).default('starttls').meta({
    description:
      'starttls: upgrade or fail; tls: from the first byte; none: never, for a relay on this machine',
  }),
  user: z.string().min(1).optional().meta({ description: 'Log in as; absent: do not log in' }),
  password: secret().optional().meta({ description: 'Password of that user' }),
});

export const mailConfig = z.strictObject({
  smtp: smtpConfig.optional().meta({ description: 'Where mails go; absent: they are kept and shown' }),
  from: mailboxOption().meta({
    description: 'Sender; its host also ends the message ids',
    examples: ['Edgeward <edgeward@plant.example>'],
  }),
  to: z
    .array(mailboxOption())
    .min(1)
    .meta({ description: 'Recipients', examples: [['shift@plant.example']] }),
  sendClosing: z.boolean().default(true).meta({ description: 'Also say when an incident is over' }),
  linkBase: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'Address of the page, for links', examples: ['https://edgeward.plant.example'] }),
});

export type MailConfig = z.output<typeof mailConfig>;
export type SmtpConfig = z.output<typeof smtpConfig>;
