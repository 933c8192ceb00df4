/** One request of JSON for JSON, with every way in which a server can misbehave turned into a failure. */
import { LlmFailure } from './failure.js';

const maxBytes = 256 * 1024;
const longestRetryMs = 86_400_000;

/**
 * Follows no redirect: the key is for one server only.
 * @throws LlmFailure; it also covers a signal that aborts
 */
export async function postJson(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: unknown,
  signal: AbortSignal,
  nowMs: number,
): Promise<unknown> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal,
    });
    return await jsonOf(response, nowMs);
  } catch (error) {
    if (error instanceof LlmFailure) throw error;
    if (signal.aborted) throw new LlmFailure('timeout', 'no answer in time');
    throw new LlmFailure('unreachable', `the server cannot be reached (${codeOf(error)})`);
  }
}

async function jsonOf(response: Response, nowMs: number): Promise<unknown> {
  const { status, headers } = response;
  if (status !== 200) {
    await response.body?.cancel();
    throw refusal(status, headers.get('retry-after'), nowMs);
  }
  const type = headers.get('content-type') ?? 'none';
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    await response.body?.cancel();
    throw new LlmFailure('unreadable', 'the answer is not called JSON');
  }
  const text = await textOf(response);
  try {
    return JSON.parse(text);
  } catch {
    throw new LlmFailure('unreadable', 'the answer is not JSON');
  }
}

function refusal(status: number, retryAfter: string | null, nowMs: number): LlmFailure {
  const message = `the server answered with HTTP status ${status}`;
  if (status === 429 || status === 503)
    return new LlmFailure(
      status === 429 ? 'limited' : 'server',
      message,
      retryAfter === null ? undefined : retryMs(retryAfter, nowMs),
    );
  return new LlmFailure(status >= 400 && status < 500 ? 'denied' : 'server', message);
}

/** Seconds, or a date [RFC 9110, 10.2.3]. */
function retryMs(text: string, nowMs: number): number | undefined {
  const ms = /^\d+$/.test(text.trim()) ? 1000 * Number(text) : Date.parse(text) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, longestRetryMs) : undefined;
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new LlmFailure('unreadable', `the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `ECONNREFUSED`; never the message, in which an address with a key could stand. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === 'object' && cause && 'code' in cause ? String(cause.code) : '';
  return /^[A-Z_]{1,40}$/.test(code) ? code : 'no connection';
}
