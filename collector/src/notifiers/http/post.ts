/** One POST, and what its answer means. Follows no redirect; no text that comes out of here has the address in it. */
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { HttpRequest, Target } from './target.js';

export type Outcome =
  | { readonly kind: 'sent' }
  /** @property wide  nothing else is worth trying now either */
  | { readonly kind: 'later'; readonly wide: boolean; readonly reason: string; readonly afterMs: number }
  | { readonly kind: 'refused'; readonly reason: string };

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The beginning of its text, of refusals. */
  readonly text: string;
}

/** Servers may ask for patience, but not for days. */
export const mostPatienceMs = 3_600_000;
const mostTextBytes = 2000;

/** Never throws but on `stop`. */
export async function post(
  target: Target,
  request: HttpRequest,
  stop: AbortSignal,
  nowMs: number,
): Promise<Outcome> {
  const late = AbortSignal.timeout(request.timeoutMs);
  try {
    return outcomeOf(await send(request, AbortSignal.any([stop, late])), target, nowMs);
  } catch (error) {
    stop.throwIfAborted();
    const reason = late.aborted ? `no answer within ${request.timeoutMs} ms` : reasonOf(error);
    return { kind: 'later', wide: true, reason, afterMs: 0 };
  }
}

function send({ url, headers, body, ca }: HttpRequest, signal: AbortSignal): Promise<Answer> {
  const isTls = url.protocol === 'https:';
  const bytes = Buffer.from(body, 'utf8');
  const options = {
    method: 'POST',
    // A connection that is kept is one more thing that can be half dead.
    agent: false,
    headers: { ...headers, 'content-length': bytes.length, 'user-agent': 'edgeward' },
    signal,
    ...(isTls && ca !== undefined && { ca }),
  };
  return new Promise((resolve, reject) => {
    const sending = (isTls ? overHttps : overHttp)(url, options, response => {
      const { statusCode: status = 0 } = response;
      const done = (text: string) => {
        resolve({ status, retryAfter: response.headers['retry-after'], text });
        sending.destroy();
      };
      response.on('error', () => undefined);
      // The yes is in the status: whatever the text does, it is taken.
      if (status < 400) return done('');
      const chunks: Buffer[] = [];
      let size = 0;
      const end = () => done(Buffer.concat(chunks).toString('utf8').slice(0, mostTextBytes));
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= mostTextBytes) end();
      });
      response.once('end', end).once('error', end);
    });
    sending.on('error', reject);
    // Whatever ends it without a word, as an answer that switches protocols does.
    sending.once('close', () => reject(new Error('the connection ended')));
    sending.end(bytes);
  });
}

function outcomeOf({ status, retryAfter, text }: Answer, target: Target, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const reason = `the server answered with HTTP status ${status}`;
  const later = (wide: boolean, more = '') => ({
    kind: 'later' as const,
    wide,
    reason: reason + more,
    afterMs: retryAfter === undefined ? 0 : patienceMs(retryAfter, nowMs),
  });
  if (status < 400)
    return later(true, ': redirects are not followed; put the address that it leads to into the url');
  // Of these it is not the notice that the server has trouble with.
  if ([429, 502, 503, 504].includes(status)) return later(true);
  if ([408, 425].includes(status) || status >= 500) return later(false);
  const meaning = target.explain(status, text.trim()) ?? advice[status];
  // A token that is changed just now, or a receiver that is set up anew: it delays until somebody corrects it.
  if ([401, 403, 404, 407].includes(status)) return later(true, meaning === undefined ? '' : `: ${meaning}`);
  return { kind: 'refused', reason: meaning === undefined ? reason : `${reason}: ${meaning}` };
}

const credentials = 'look at the url, the headers and the secrets';
const advice: Readonly<Record<number, string>> = {
  400: 'it does not understand what was sent; look at the body of this notifier',
  401: `it does not know us; ${credentials}`,
  403: `it does not allow this; ${credentials}`,
  404: 'there is nothing at this address; put the right one into the url',
  407: 'a proxy on the way wants credentials; have it let this address through',
  410: 'nobody wants these any more; take the notifier out of the configuration, or put a new address into the url',
  413: 'it is too long for the server; give a shorter body',
};

/** Seconds, or a date [RFC 9110, 10.2.3]. */
function patienceMs(text: string, nowMs: number): number {
  const ms = /^\d+$/.test(text.trim()) ? 1000 * Number(text) : Date.parse(text) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, mostPatienceMs) : 0;
}

const certificate = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/;

/** By its code only: a message may quote the address. */
function reasonOf(error: unknown): string {
  const code = typeof error === 'object' && error && 'code' in error ? String(error.code) : '';
  const known = /^[A-Z0-9_]{1,60}$/.test(code) ? code : 'no connection';
  const hint = certificate.test(known) ? ': its certificate is not trusted; give ca, if it is your own' : '';
  return `the server cannot be reached (${known})${hint}`;
}
