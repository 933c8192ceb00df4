import { isIP } from 'node:net';
import { bare, isLoopback, isWildcard } from '@edgeward/shared/hosts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiConfig } from './config.js';
import { HttpError } from './errors.js';

export const securityHeaders = new Map([
  [
    'content-security-policy',
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  ],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['permissions-policy', 'camera=(), geolocation=(), microphone=()'],
  ['cache-control', 'no-store'],
]);

/** Headers on every answer; who may ask, by Host and Origin. There is no CORS: other origins read nothing. */
export function secure(app: FastifyInstance, config: ApiConfig): void {
  const allowed = (config.allowedOrigins ?? []).map(origin => new URL(origin));
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(Object.fromEntries(securityHeaders));
    checkHost(request, config, allowed);
    if (request.method !== 'GET' && request.method !== 'HEAD') checkOrigin(request, allowed);
  });
}

/** Against DNS rebinding: a foreign name that resolves to this machine is not one of ours. */
function checkHost(request: FastifyRequest, config: ApiConfig, allowed: readonly URL[]): void {
  const host = request.headers.host ?? '';
  const name = nameOf(host);
  if (name === undefined) throw badHost(host);
  if (isLoopback(name) || name === bare(config.host)) return;
  // An address cannot be rebound; names can.
  if (isWildcard(config.host) && isIP(name)) return;
  if (!allowed.some(url => url.host === host.toLowerCase())) throw badHost(host);
}

function nameOf(host: string): string | undefined {
  if (!/^[A-Za-z0-9.\-_[\]:]+$/.test(host)) return undefined;
  try {
    return bare(new URL(`http://${host}`).hostname);
  } catch {
    return undefined;
  }
}

function badHost(host: string): HttpError {
  return new HttpError(
    'EW_HTTP_REFUSED',
    `This collector is not known as ${JSON.stringify(host.slice(0, 100))}.`,
    {
      field: 'Host',
      value: host,
      remedy: "Use the address of api.host, or add the page's origin to api.allowedOrigins.",
    },
  );
}

/** A page of another origin can send requests here; browsers say so in Origin or Sec-Fetch-Site. */
function checkOrigin(request: FastifyRequest, allowed: readonly URL[]): void {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin === undefined) {
    if (site === undefined || site === 'same-origin' || site === 'none') return;
  } else if (URL.canParse(origin)) {
    const { host: from, origin: whole } = new URL(origin);
    if (from === host?.toLowerCase() || allowed.some(url => url.origin === whole)) return;
  }
  throw new HttpError('EW_HTTP_REFUSED', 'The request was sent by a page of another origin.', {
    field: 'Origin',
    value: origin ?? null,
    remedy: "Use the collector's own page, or add the page's origin to api.allowedOrigins.",
  });
}
