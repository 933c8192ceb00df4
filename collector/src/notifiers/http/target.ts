/** How an event becomes a request to one server. Secrets are read anew each time: a corrected file needs no restart. */
import { readFile } from 'node:fs/promises';
import { readSecret } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { type NotifierConfig, readUrl, type SlackConfig, type WebhookConfig } from './config.js';
import type { IncidentEvent } from './event.js';
import { signedHeaders, signingKeys } from './signature.js';
import { slackMessage } from './slack.js';
import { fill, fillText, type Json, type Secrets } from './template.js';

export interface HttpRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly ca: string | undefined;
  readonly timeoutMs: number;
}

export interface Target {
  readonly type: 'slack' | 'webhook';
  readonly config: NotifierConfig;
  /** @throws EW_CONFIG_FILE, EW_CONFIG_INVALID; without anything secret in the text */
  request(event: IncidentEvent, nowMs: number): Promise<HttpRequest>;
  /** The body with `***` in place of secrets, for people to read. */
  shown(event: IncidentEvent): string;
  /** What a server's word for a refusal means, where it is one that we know. */
  explain(status: number, word: string): string | undefined;
}

const json = 'application/json; charset=utf-8';

export function slackTarget(config: SlackConfig): Target {
  return {
    type: 'slack',
    config,
    async request(event, nowMs) {
      const body = JSON.stringify(slackMessage(event));
      // Slack does not look at the id; what stands in for Slack may.
      const headers = { 'content-type': json, ...signedHeaders(event.id, nowMs, body, []) };
      return { ...(await placeOf(config)), headers, body };
    },
    shown: event => JSON.stringify(slackMessage(event), null, 2),
    explain: (_, word) => (Object.hasOwn(slackWords, word) ? `${word}: ${slackWords[word]}` : undefined),
  };
}

const newHook = 'make a new incoming webhook and put its address into the file of the url';
const slackWords: Readonly<Record<string, string>> = {
  no_service: `the webhook was removed or switched off; ${newHook}`,
  no_service_id: `the address is not complete; ${newHook}`,
  no_team: `the workspace is gone; ${newHook}`,
  no_active_hooks: `the webhook was switched off; ${newHook}`,
  team_disabled: 'the workspace was switched off',
  invalid_token: `the address is wrong; ${newHook}`,
  channel_not_found: `the channel is gone; ${newHook}`,
  channel_is_archived: `the channel is archived; open it again, or ${newHook}`,
  action_prohibited: 'an administrator of the workspace does not allow it',
  posting_to_general_channel_denied: 'an administrator does not allow posts to this channel',
  user_not_found: 'whom it was to go to does not exist',
  invalid_payload: 'Slack does not understand the message',
  invalid_blocks: 'Slack does not understand the message',
};

export function webhookTarget(config: WebhookConfig): Target {
  const { headers, body, escape: markup, secret } = config;
  const bodyOf = (event: IncidentEvent, secrets: Secrets): Json | IncidentEvent =>
    body ? fill(body as Json, event, secrets, markup) : event;
  return {
    type: 'webhook',
    config,
    async request(event, nowMs) {
      const secrets = await secretsOf(config);
      const text = JSON.stringify(bodyOf(event, secrets));
      const keys = secret ? signingKeys(await readSecret(secret)) : [];
      const own = Object.entries(headers).map(([name, value]) => [
        name,
        headerText(name, fillText(value, event, secrets, 'none')),
      ]);
      return {
        ...(await placeOf(config)),
        headers: {
          ...Object.fromEntries(own),
          'content-type': json,
          ...signedHeaders(event.id, nowMs, text, keys),
        },
        body: text,
      };
    },
    shown: event => JSON.stringify(bodyOf(event, masked(config)), null, 2),
    explain: () => undefined,
  };
}

async function placeOf({ url, allowHttp, ca, timeoutMs }: NotifierConfig) {
  return {
    url: await readUrl(url, allowHttp),
    ca: ca === undefined ? undefined : await readAuthority(ca),
    timeoutMs,
  };
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new EdgewardError('EW_CONFIG_FILE', `The file of ca: ${messageOf(error)}`, { cause: error });
  }
}

async function secretsOf({ secrets }: WebhookConfig): Promise<Secrets> {
  const read = Object.entries(secrets).map(async ([name, ref]) => [name, await readSecret(ref)] as const);
  return Object.fromEntries(await Promise.all(read));
}

function masked({ secrets }: WebhookConfig): Secrets {
  return Object.fromEntries(Object.keys(secrets).map(name => [name, '***']));
}

/** Names of devices may be in any script: what a header cannot hold becomes a question mark. */
function headerText(name: string, text: string): string {
  if (/[\r\n\0]/.test(text))
    throw new EdgewardError(
      'EW_CONFIG_INVALID',
      `The header ${name} would have several lines. Remedy: put only one line into its secret.`,
    );
  return text.replaceAll(/[^\t\x20-\x7e]/g, '?');
}
