/** One POST with a JSON body. `fetch` would do, and take 8 MB of an agent that needs it for nothing else. */
import {
  Agent as HttpAgent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as overHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as overHttps } from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const zip = promisify(gzip);
/** Below, a compressed body is no shorter to speak of. */
const worthZipping = 1024;
const maxAnswerBytes = 16 * 1024;

export interface Answer {
  readonly status: number;
  /** Of its `retry-after`, where it has one in seconds. */
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

export class Poster {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    this.#url = url;
    this.#headers = headers;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** @throws Error if there is no answer within that time */
  async post(json: string, signal: AbortSignal): Promise<Answer> {
    const zipped = json.length >= worthZipping;
    const body = zipped ? await zip(json) : Buffer.from(json, 'utf8');
    const headers = {
      ...this.#headers,
      'content-type': 'application/json',
      'content-length': body.length,
      ...(zipped && { 'content-encoding': 'gzip' }),
    };
    return answerOf(await this.#send(body, headers, signal));
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(body: Buffer, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
    const request = this.#url.protocol === 'https:' ? overHttps : overHttp;
    return new Promise((resolve, reject) => {
      const sending = request(this.#url, { method: 'POST', agent: this.#agent, headers, signal }, resolve);
      sending.once('error', reject);
      sending.end(body);
    });
  }
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxAnswerBytes) chunks.push(chunk);
  }
  const seconds = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
    text: Buffer.concat(chunks).toString('utf8'),
  };
}
