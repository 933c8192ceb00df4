import type { ServerResponse } from 'node:http';
import type { PointError } from './http-intake.js';
import { HttpRefusal } from './http-problem.js';

/** What a client is told. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** All of it is stored. */
export const stored: Answer = { status: 204 };

/** Some or all points were refused; those accepted are stored. */
export function partly(accepted: number, rejected: number, errors: readonly PointError[]): Answer {
  const rest = accepted === 0 ? '' : ` The other ${accepted} are stored: do not send them again.`;
  const message = `${rejected} of ${accepted + rejected} points were refused, see errors.${rest}`;
  return { status: 400, body: { code: 'EW_HTTP_REQUEST', message, accepted, rejected, errors } };
}

export function refusal({ status, code, message, retryAfterS }: HttpRefusal): Answer {
  return {
    status,
    ...(retryAfterS !== undefined && { headers: { 'retry-after': String(retryAfterS) } }),
    body: { code, message },
  };
}

export const stopping = new HttpRefusal(
  503,
  'EW_STOPPED',
  'The agent is stopping. Remedy: send it again in a moment.',
  2,
);

/** @param close  no further request on this connection */
export function send(response: ServerResponse, answer: Answer, close = false): void {
  if (response.headersSent || response.destroyed) return;
  if (close) response.setHeader('connection', 'close');
  if (answer.body === undefined) {
    response.writeHead(answer.status, answer.headers);
    response.end();
    return;
  }
  const text = `${JSON.stringify(answer.body)}\n`;
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...answer.headers,
  });
  response.end(text);
}
