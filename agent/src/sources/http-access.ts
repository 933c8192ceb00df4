import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { readSecret, type SecretRef } from '@edgeward/shared/config';
import { EdgewardError } from '@edgeward/shared/errors';
import { isLoopback } from '@edgeward/shared/hosts';
import { HttpRefusal } from './http-problem.js';

/** @throws EW_CONFIG_FILE if it is not there, EW_CONFIG_INVALID if no header can carry it */
export async function readToken(ref: SecretRef): Promise<string> {
  const token = await readSecret(ref);
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new EdgewardError(
    'EW_CONFIG_INVALID',
    'token: it has blanks or other than ASCII characters. Remedy: use letters, digits and punctuation only.',
  );
}

/** Who may write. */
export class HttpAccess {
  readonly #expected: Buffer | undefined;

  /** @param token  undefined = nobody needs one, because only this machine can reach it */
  constructor(token: string | undefined) {
    this.#expected = token === undefined ? undefined : digest(token);
  }

  /** @throws HttpRefusal */
  check({ headers }: IncomingMessage): void {
    if (this.#expected === undefined) checkLocal(headers);
    else checkToken(headers, this.#expected);
  }
}

function checkToken({ authorization }: IncomingMessage['headers'], expected: Buffer): void {
  const given = /^(?:Bearer|Token) +(\S+)$/i.exec(authorization ?? '')?.[1];
  // Digests have equal length, so that neither length nor content shows in the time taken.
  if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
  const what = given === undefined ? 'No token was sent' : 'The token is wrong';
  throw new HttpRefusal(
    401,
    'EW_HTTP_PASSWORD',
    `${what}. Remedy: send "Authorization: Bearer TOKEN", with the token of the agent's configuration.`,
  );
}

/**
 * Without a token, loopback is open to programs of this machine, but not to what pages make its browsers do: these
 * send an Origin, and a name that was rebound to 127.0.0.1 stands in Host.
 */
function checkLocal({ origin, host }: IncomingMessage['headers']): void {
  if (origin === undefined && (host === undefined || isLoopback(host.replace(/:\d+$/, '')))) return;
  throw new HttpRefusal(
    403,
    'EW_HTTP_REFUSED',
    'Without a token, only programs of this machine may ask. Remedy: set a token in the configuration and send it.',
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
