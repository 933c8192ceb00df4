import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { metricsContentType } from '@edgeward/shared/metrics/metrics';
import type { HttpAccess } from '../sources/http-access.js';
import { HttpRefusal } from '../sources/http-problem.js';

export interface MetricsListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly access: HttpAccess;
  readonly text: () => Promise<string>;
}

const timeoutMs = 10_000;
/** Prometheus keeps its connection from one scrape to the next. */
const idleMs = 120_000;
/** Nobody but Prometheus and a person with curl. */
const maxConnections = 16;

/** GET /metrics and nothing else. */
export class MetricsListener implements AsyncDisposable {
  readonly #options: MetricsListenerOptions;
  readonly #server: Server;

  private constructor(options: MetricsListenerOptions) {
    this.#options = options;
    this.#server = createServer(
      { headersTimeout: timeoutMs, requestTimeout: timeoutMs, keepAliveTimeout: idleMs, maxHeaderSize: 8192 },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = maxConnections;
  }

  /** @throws EW_LISTEN */
  static async open(options: MetricsListenerOptions): Promise<MetricsListener> {
    const { host, port } = options;
    const listener = new MetricsListener(options);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => {
        const text = `metrics ${host}:${port}: ${messageOf(error)}. Choose another metrics.port.`;
        reject(new EdgewardError('EW_LISTEN', text, { cause: error }));
      });
      server.listen(port, host.replace(/^\[|\]$/g, ''), resolve);
    });
    // One connection that could not be taken, for want of file descriptors, must not end the agent.
    server.on('error', () => undefined);
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    try {
      this.#check(request);
      const text = await this.#options.text();
      response.writeHead(200, { 'content-type': metricsContentType, 'cache-control': 'no-store' }).end(text);
    } catch (error) {
      const { status, message } = error instanceof HttpRefusal ? error : { status: 500, message: 'failed' };
      response.writeHead(status, headersOf(status)).end(`${message}\n`);
    }
  }

  /** Who may ask comes first: others do not learn what there is. @throws HttpRefusal */
  #check(request: IncomingMessage): void {
    this.#options.access.check(request);
    const [path] = (request.url ?? '').split('?');
    if (path !== '/metrics')
      throw new HttpRefusal(404, 'EW_HTTP_NOT_FOUND', 'There is /metrics and nothing else.');
    if (request.method !== 'GET')
      throw new HttpRefusal(405, 'EW_HTTP_REQUEST', `/metrics takes GET, not ${request.method}.`);
  }
}

function headersOf(status: number): Record<string, string> {
  return {
    'content-type': 'text/plain; charset=utf-8',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(status === 405 && { allow: 'GET' }),
  };
}
