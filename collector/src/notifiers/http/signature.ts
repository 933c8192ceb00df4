/** Signatures after Standard Webhooks 1.0.0 (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. */
import { createHmac } from 'node:crypto';
import { EdgewardError } from '@edgeward/shared/errors';

const prefix = 'whsec_';
const leastBytes = 24;
const mostBytes = 64;

/**
 * Keys of a secret: `whsec_` and base64, or base64 alone. Several, one a line, while one takes the place of another.
 * @throws EW_CONFIG_INVALID, without the secret
 */
export function signingKeys(secret: string): Buffer[] {
  const keys = secret.split(/\s+/).filter(word => word !== '');
  if (keys.length === 0)
    throw new EdgewardError(
      'EW_CONFIG_INVALID',
      'The secret for signatures is blank. Remedy: make one by: echo whsec_$(openssl rand -base64 32); or leave out secret, if nobody checks it',
    );
  return keys.map(word => {
    const text = word.startsWith(prefix) ? word.slice(prefix.length) : word;
    const key = Buffer.from(text, 'base64');
    const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text);
    if (isBase64 && key.length >= leastBytes && key.length <= mostBytes) return key;
    throw new EdgewardError(
      'EW_CONFIG_INVALID',
      `The secret for signatures is not ${leastBytes} to ${mostBytes} bytes in base64. Remedy: make one by: echo whsec_$(openssl rand -base64 32)`,
    );
  });
}

/** @param sentMs  of this try: receivers refuse old ones */
export function signedHeaders(
  id: string,
  sentMs: number,
  body: string,
  keys: readonly Buffer[],
): Record<string, string> {
  const timestamp = String(Math.floor(sentMs / 1000));
  const sign = (key: Buffer) =>
    `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    ...(keys.length > 0 && { 'webhook-signature': keys.map(sign).join(' ') }),
  };
}
