/**
 * Stands in front of a real InfluxDB and does what overload, proxies and broken lines do: answers in its place, cuts
 * answers after the write, or hangs up before it. What it does not touch, the real server answers.
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What to do with a write: `pass`, `cut` the answer, `drop` the request, or this answer instead. */
export type Fate = 'pass' | 'cut' | 'drop' | Answer;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Without reading what is sent. */
  readonly early?: boolean;
}

export type Decide = (write: { readonly bytes: number; readonly number: number }) => Fate | Promise<Fate>;

export class InfluxProxy implements AsyncDisposable {
  writes = 0;
  url = '';
  decide: Decide = () => 'pass';
  readonly #target: string;
  readonly #server = http.createServer((request, response) => void this.#serve(request, response));

  private constructor(target: string) {
    this.#target = target;
  }

  static async before(target: string): Promise<InfluxProxy> {
    const proxy = new InfluxProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.url = `http://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`;
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isWrite = request.url?.startsWith('/api/v2/write') === true;
    if (isWrite) this.writes += 1;
    const told = Number(request.headers['content-length']);
    try {
      const fate = isWrite ? await this.decide({ bytes: told, number: this.writes }) : 'pass';
      if (typeof fate === 'object' && fate.early) return answer(response, fate);
      const body = await bodyOf(request);
      if (typeof fate === 'object') return answer(response, fate);
      if (fate === 'drop') return void request.socket.destroy();
      await this.#forward(request, response, body, fate);
    } catch {
      request.socket.destroy();
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse, body: Buffer, fate: 'pass' | 'cut') {
    const { method = 'GET', headers, url = '/' } = request;
    const kept = ['authorization', 'content-type', 'content-encoding', 'accept'];
    const given = kept.flatMap(name => (headers[name] ? [[name, String(headers[name])]] : []));
    const answered = await fetch(`${this.#target}${url}`, {
      method,
      headers: Object.fromEntries(given),
      ...(method !== 'GET' && { body: new Uint8Array(body) }),
    });
    const text = Buffer.from(await answered.arrayBuffer());
    if (fate === 'cut') return void request.socket.destroy();
    const type = answered.headers.get('content-type');
    response.writeHead(answered.status, { ...(type && { 'content-type': type }) });
    response.end(text);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function answer(response: ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
