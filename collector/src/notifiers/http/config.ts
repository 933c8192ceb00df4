import {
  type ConfigIssue,
  distinctNames,
  nameOption,
  pathOption,
  readSecret,
  type SecretRef,
  secret,
  unplacedIssue,
} from '@edgeward/shared/config';
import { detailOf, EdgewardError, hasCode } from '@edgeward/shared/errors';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';
import { quietConfig, severities } from '../config.js';
import { samples } from '../samples.js';
import { eventKinds, eventOf } from './event.js';
import { signingKeys } from './signature.js';
import { isKnown, type Json, pathsOf, placeholdersIn, strayBracesIn } from './template.js';

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** Ours, or none that a sender may choose. */
const reserved =
  /^(?:host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|content-(?:type|length|encoding)|webhook-.*)$/i;
const secretName = /^[A-Za-z]\w{0,63}$/;

const examples = samples.map(sample =>
  eventOf(sample, { collector: 'collector', linkBase: 'https://page.example', nowMs: 0 }),
);
export const exampleEvent = examples[0]!;
const known = new Set(examples.flatMap(example => pathsOf(example)));
/** What templates may name: values, and lists of them; N is any place in a list. */
export const placeholders: readonly string[] = [...known].filter(path => path !== 'data');

const common = {
  name: nameOption().meta({
    description: 'Name of this notifier: on the page, in logs and metrics',
    examples: ['shift'],
  }),
  url: secret().meta({
    description:
      'Where to post: https, or http on this machine. Whoever knows it can post there too: so it is kept like a password',
    examples: [{ file: './secrets/hook-url' }],
  }),
  allowHttp: z.boolean().default(false).meta({
    description: 'Also post over http to other machines: whoever is on the way reads and changes it',
  }),
  severities: z
    .array(z.enum(severities))
    .min(1)
    .optional()
    .meta({
      description: 'Only of incidents this severe; absent: of all',
      examples: [['warning', 'critical']],
    }),
  sites: z
    .array(z.string().min(1).max(200))
    .min(1)
    .optional()
    .meta({ description: 'Only of gateways of these sites; absent: of all', examples: [['north']] }),
  events: z
    .array(z.enum(eventKinds))
    .min(1)
    .default([...eventKinds])
    .meta({
      description: 'What is told of an incident; one that is critical when it opens counts as critical, too',
    }),
  timeoutMs: z
    .int()
    .min(100)
    .max(120_000)
    .default(15_000)
    .meta({ description: 'What one try may take, from the first packet to the answer', unit: 'ms' }),
  ca: pathOption('file')
    .optional()
    .meta({
      description: 'Certificates (PEM) that the server is trusted by; absent: the public authorities',
      examples: ['./secrets/plant-ca.pem'],
    }),
};

const slackConfig = z.strictObject({
  ...common,
  quietHours: quietConfig.optional().meta({
    description:
      'Messages of incidents that are not critical wait for their end; then the last of each is sent',
  }),
});

const header = z
  .string()
  .max(4000)
  .regex(/^[\t\x20-\x7e]*$/, 'not a value of a header: printable ASCII only');

const webhookConfig = z
  .strictObject({
    ...common,
    secret: secret().optional().meta({
      description:
        'Key of the signature (Standard Webhooks): whsec_ and base64, several on lines of their own while they change; absent: not signed',
    }),
    secrets: z
      .record(z.string().regex(secretName, 'not a name: letters and digits only'), secret())
      .default({})
      .meta({
        description: 'Further secrets, for {secret.NAME} in headers and body',
        examples: [{ token: { file: './secrets/token' } }],
      }),
    headers: z
      .record(z.string().regex(headerName, 'not a name of a header'), header)
      .default({})
      .meta({
        description: 'Further headers, with the same placeholders as the body',
        examples: [{ authorization: 'Bearer {secret.token}' }],
      }),
    body: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({
        description:
          'What is sent, with {data.title} and others in its texts (deploy/notifiers.md); absent: the whole event',
        examples: [{ text: '{data.title}' }],
      }),
    escape: z.enum(['none', 'markdown']).default('none').meta({
      description:
        'markdown: for receivers that read texts as such, names cannot make links, mentions or formatting',
    }),
  })
  .superRefine(({ headers, body, secrets }, context) => {
    for (const name of Object.keys(headers))
      if (reserved.test(name)) {
        const message = 'this header is set by Edgeward itself. Remedy: leave it out';
        context.addIssue({ code: 'custom', path: ['headers', name], message });
      }
    for (const [part, template] of Object.entries({ headers, body: body ?? {} })) {
      for (const text of strayBracesIn(template as Json)) {
        const message = `"${text.slice(0, 200)}" has a brace that belongs to no placeholder. Remedy: write those as {data.title}, without spaces and signs; for a brace itself {{ or }}`;
        context.addIssue({ code: 'custom', path: [part], message });
      }
      for (const path of new Set(placeholdersIn(template as Json))) {
        const names = Object.keys(secrets).map(name => `secret.${name}`);
        if (isKnown(path, known) || names.includes(path)) continue;
        const message = `there is no {${path}}. Remedy: write one of ${[...placeholders, ...names].join(', ')} (for N a number from 0 on); for a brace itself write {{`;
        context.addIssue({ code: 'custom', path: [part], message });
      }
    }
  });

export const notifyConfig = z
  .strictObject({
    slack: z
      .array(slackConfig)
      .max(50)
      .default([])
      .superRefine(distinctNames('notify.slack'))
      .meta({ description: 'Slack channels, by incoming webhooks' }),
    webhooks: z
      .array(webhookConfig)
      .max(50)
      .default([])
      .superRefine(distinctNames('notify.webhooks'))
      .meta({ description: 'HTTP servers that get a signed JSON of each event' }),
  })
  .superRefine(({ slack, webhooks }, context) => {
    const taken = new Set(slack.map(({ name }) => name));
    for (const [i, { name }] of webhooks.entries())
      if (taken.has(name)) {
        const message = 'notify.slack has this name already. Remedy: choose another name';
        context.addIssue({ code: 'custom', path: ['webhooks', i, 'name'], message });
      }
  });

export type NotifyConfig = z.output<typeof notifyConfig>;
export type SlackConfig = z.output<typeof slackConfig>;
export type WebhookConfig = z.output<typeof webhookConfig>;
export type NotifierConfig = SlackConfig | WebhookConfig;

/**
 * The address that a secret holds.
 * @throws EW_CONFIG_FILE, EW_CONFIG_INVALID; the text never has the address
 */
export async function readUrl(ref: SecretRef, allowHttp: boolean): Promise<URL> {
  const text = (await readSecret(ref)).trim();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fault = (message: string) => new EdgewardError('EW_CONFIG_INVALID', message);
  if (!url || !/^https?:$/.test(url.protocol))
    throw fault('The url is no address. Remedy: put a line as https://host/path there, and nothing else.');
  if (url.username || url.password)
    throw fault('The url has a user or password. Remedy: send them in a header, from secrets.');
  if (url.protocol === 'http:' && !allowHttp && !isLoopback(url.hostname))
    throw fault(
      'The url would send incidents over the network readable. Remedy: use https, or set allowHttp: true.',
    );
  return url;
}

/** What is wrong within the secrets that are there. One that is not there is told by whoever looks for files. */
export async function checkNotify({ slack, webhooks }: NotifyConfig): Promise<ConfigIssue[]> {
  const issues: ConfigIssue[] = [];
  const look = async (field: string, read: () => Promise<unknown>) => {
    try {
      await read();
    } catch (error) {
      if (hasCode(error, 'EW_CONFIG_FILE')) return;
      if (!hasCode(error, 'EW_CONFIG_INVALID')) throw error;
      const [problem = '', remedy = ''] = detailOf('EW_CONFIG_INVALID', error.message).split('. Remedy: ');
      issues.push(unplacedIssue(field, problem, remedy.replace(/\.$/, '')));
    }
  };
  for (const [i, { url, allowHttp }] of slack.entries())
    await look(`notify.slack[${i}].url`, () => readUrl(url, allowHttp));
  for (const [i, { url, allowHttp, secret: key }] of webhooks.entries()) {
    await look(`notify.webhooks[${i}].url`, () => readUrl(url, allowHttp));
    if (key) await look(`notify.webhooks[${i}].secret`, async () => signingKeys(await readSecret(key)));
  }
  return issues;
}
