import { createHash, timingSafeEqual } from 'node:crypto';
import { readSecret, type SecretRef } from '@edgeward/shared/config';
import type { Clock } from '@edgeward/shared/contracts';
import type { FastifyInstance } from 'fastify';
import { HttpError } from './errors.js';

/**
 * HTTP Basic (RFC 7617) on everything but /healthz. The user name is not looked at.
 * A password that cannot be read fails `ready()` and `listen()` with EW_CONFIG_FILE.
 */
export function requirePassword(app: FastifyInstance, ref: SecretRef, clock: Clock): void {
  let expected: Buffer | undefined;
  app.addHook('onReady', async () => {
    expected = digest(await readSecret(ref));
  });
  const slowDown = new SlowDown(clock);
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === '/healthz') return;
    const waitMs = slowDown.waitMs(request.ip);
    if (waitMs > 0) throw tooOften(waitMs, seconds => reply.header('retry-after', seconds));
    const given = passwordOf(request.headers.authorization);
    // Digests have equal length, so that neither length nor content shows in the time taken.
    if (given !== undefined && expected && timingSafeEqual(digest(given), expected)) {
      return slowDown.forget(request.ip);
    }
    if (given !== undefined) slowDown.failed(request.ip);
    reply.header('www-authenticate', 'Basic realm="Edgeward", charset="UTF-8"');
    throw new HttpError(
      'EW_HTTP_PASSWORD',
      given === undefined ? 'No password was sent.' : 'Wrong password.',
      {
        remedy: 'Send the password of api.password by HTTP Basic; any user name will do.',
      },
    );
  });
}

function tooOften(waitMs: number, retryAfter: (seconds: number) => void): HttpError {
  const seconds = Math.ceil(waitMs / 1000);
  retryAfter(seconds);
  return new HttpError('EW_HTTP_BUSY', 'Too many wrong passwords from this address.', {
    status: 429,
    remedy: `Try again in ${seconds} s.`,
  });
}

function passwordOf(header: string | undefined): string | undefined {
  const match = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '');
  if (!match?.[1]) return undefined;
  const pair = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

const freeTries = 5;
const longestWaitMs = 60_000;
const rememberedAddresses = 1000;

/** After five wrong passwords an address waits 1 s, then 2 s, 4 s … up to a minute. */
class SlowDown {
  readonly #failures = new Map<string, { count: number; untilMs: number }>();

  constructor(private readonly clock: Clock) {}

  waitMs(address: string): number {
    return Math.max(0, (this.#failures.get(address)?.untilMs ?? 0) - this.clock.monotonic());
  }

  failed(address: string): void {
    const count = (this.#failures.get(address)?.count ?? 0) + 1;
    const waitMs = count < freeTries ? 0 : Math.min(longestWaitMs, 1000 * 2 ** (count - freeTries));
    this.#failures.delete(address);
    this.#failures.set(address, { count, untilMs: this.clock.monotonic() + waitMs });
    const oldest = this.#failures.keys().next();
    if (this.#failures.size > rememberedAddresses && !oldest.done) this.#failures.delete(oldest.value);
  }

  forget(address: string): void {
    this.#failures.delete(address);
  }
}
