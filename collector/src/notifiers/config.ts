import { pathOption, secret } from '@edgeward/shared/config';
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
  ca: pathOption('file')
    .optional()
    .meta({
      description: 'Certificates (PEM) that the server is trusted by; absent: the public authorities',
      examples: ['./secrets/plant-ca.pem'],
    }),
});

export const severities = ['info', 'warning', 'critical'] as const;

const routeConfig = z.strictObject({
  to: z
    .array(mailboxOption())
    .min(1)
    .meta({ description: 'Recipients', examples: [['electricians@plant.example']] }),
  severities: z
    .array(z.enum(severities))
    .min(1)
    .optional()
    .meta({ description: 'Only of incidents this severe; absent: of all' }),
  sites: z
    .array(z.string().min(1).max(200))
    .min(1)
    .optional()
    .meta({ description: 'Only of gateways of these sites; absent: of all', examples: [['north']] }),
});

function clockOption() {
  return z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'not a time of day: write it as 22:00');
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

export const quietConfig = z
  .strictObject({
    from: clockOption().meta({ description: 'When they begin', examples: ['22:00'] }),
    to: clockOption().meta({
      description: 'When they end, on the next day if that is earlier',
      examples: ['06:00'],
    }),
    timeZone: z
      .string()
      .refine(isTimeZone, 'not a time zone. Remedy: write one of the tz database, as Europe/Berlin')
      .default('UTC')
      .meta({ description: 'Whose clock', examples: ['Europe/Berlin'] }),
  })
  .refine(({ from, to }) => from !== to, {
    path: ['to'],
    error: 'they end as they begin. Remedy: give two different times, or leave quietHours out',
  });

const digestConfig = z.strictObject({
  severities: z
    .array(z.enum(['info', 'warning']))
    .min(1)
    .default(['info'])
    .meta({ description: 'Mails of incidents this severe are gathered' }),
  everyMs: z
    .int()
    .min(60_000)
    .max(7 * 86_400_000)
    .default(3_600_000)
    .meta({ description: 'So long after the first that waits', unit: 'ms' }),
});

export type QuietHours = z.output<typeof quietConfig>;

export const mailConfig = z.strictObject({
  smtp: smtpConfig.optional().meta({ description: 'Where mails go; absent: they are kept and shown' }),
  from: mailboxOption().meta({
    description: 'Sender; its host also ends the message ids',
    examples: ['Edgeward <edgeward@plant.example>'],
  }),
  to: z
    .array(mailboxOption())
    .min(1)
    .meta({
      description: 'Recipients of what no route takes: of everything, where there are no routes',
      examples: [['shift@plant.example']],
    }),
  routes: z
    .array(routeConfig)
    .max(200)
    .default([])
    .meta({ description: 'Recipients by severity and site; every route that fits adds its own' }),
  quietHours: quietConfig.optional().meta({
    description: 'Mails of incidents that are not critical wait for their end, then come as one digest',
  }),
  digest: digestConfig
    .optional()
    .meta({ description: 'Gathers the mails of minor incidents; absent: each comes by itself' }),
  sendClosing: z.boolean().default(true).meta({ description: 'Also say when an incident is over' }),
  linkBase: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({ description: 'Address of the page, for links', examples: ['https://edgeward.plant.example'] }),
});

export type MailConfig = z.output<typeof mailConfig>;
export type SmtpConfig = z.output<typeof smtpConfig>;
