import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { HttpAccess } from './http-access.js';
import { type Answer, refusal, send, stopping } from './http-answer.js';
import { type Room, readBody, Share } from './http-body.js';
import type { HttpConfig } from './http-config.js';
import { Gather } from './http-gather.js';
import { type Precision, precisionNamed, precisions } from './http-line-values.js';
import { HttpRefusal } from './http-problem.js';

/** A request with its body, yet to be understood. */
export interface Received {
  /** `rows` = JSON; otherwise line protocol, with times in this precision. */
  readonly format: 'rows' | Precision;
  readonly text: string;
  readonly key: string | undefined;
}

export interface ListenerOptions {
  readonly config: HttpConfig;
  readonly access: HttpAccess;
  readonly room: Room;
  /** Why nothing is taken now; asked before a body is read. */
  readonly busy: () => HttpRefusal | undefined;
  /**
   * @param reply   called once, now or later
   * @returns       called if the client goes before that
   * @throws HttpRefusal
   */
  readonly take: (received: Received, reply: (answer: Answer) => void) => (() => void) | undefined;
  readonly onRefusal: (status: number) => void;
}

const headersTimeoutMs = 10_000;
const checkEveryMs = 2000;
/** What is known of a request before its body costs about as much memory. */
const requestBytes = 2048;

/** Longest text of an Idempotency-Key. */
const mostKeyCharacters = 255;

/** The HTTP server: who may ask what, bodies in, answers out. */
export class HttpListener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #gather = new Gather();
  #stopping = false;

  private constructor(options: ListenerOptions) {
    const { config } = options;
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: Math.min(headersTimeoutMs, config.requestTimeoutMs),
        requestTimeout: config.requestTimeoutMs,
        keepAliveTimeout: config.idleTimeoutMs,
        connectionsCheckingInterval: checkEveryMs,
        maxHeaderSize: 16 * 1024,
        noDelay: true,
      },
      (request, response) => this.#serve(request, response),
    );
    this.#server.on('connection', socket => this.#gather.watch(socket));
    this.#server.maxConnections = config.maxConnections;
    // One connection that could not be taken, for want of file descriptors, must not end the process.
    this.#server.on('error', () => undefined);
  }

  /** @throws EW_SOURCE_UNAVAILABLE if the address is not free or not there now; EW_LISTEN if it may not be used */
  static async open(options: ListenerOptions): Promise<HttpListener> {
    const listener = new HttpListener(options);
    const { host, port } = options.config;
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', error => reject(listenError(host, port, error)));
      listener.#server.listen(port, host.replace(/^\[|\]$/g, ''), resolve);
    });
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From here on nothing new is taken; what was taken is still answered. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#gather.flush(); // a connection counts as idle as soon as its answer is written
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  /** @param lingerMs  how long clients may take to read their answers */
  async close(lingerMs: number): Promise<void> {
    this.stop();
    this.#gather.flush();
    const closed = new Promise<void>(resolve => {
      this.#server.getConnections((_, count) => (count ? this.#server.once('close', resolve) : resolve()));
    });
    this.#server.closeIdleConnections();
    const force = setTimeout(() => {
      this.#gather.flush();
      this.#server.closeAllConnections();
    }, lingerMs);
    await closed;
    clearTimeout(force);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const share = new Share(this.#options.room);
    let withdraw: (() => void) | undefined;
    response.on('close', () => {
      share.giveBack();
      withdraw?.();
    });
    const fail = (error: unknown) => this.#fail(request, response, error);
    try {
      const format = this.#route(request);
      if (typeof format === 'object') {
        this.#answer(request, response, format);
        return;
      }
      this.#options.access.check(request);
      const key = keyOf(request);
      const busy = this.#stopping ? stopping : this.#options.busy();
      if (busy) throw busy;
      share.take(requestBytes);
      const take = (text: string) => {
        if (this.#stopping) throw stopping;
        const reply = (answer: Answer) => this.#answer(request, response, answer);
        withdraw = this.#options.take({ format, text, key }, reply);
      };
      readBody(request, this.#options.config.maxBodyBytes, share, take, fail);
    } catch (error) {
      fail(error);
    }
  }

  /** @throws HttpRefusal */
  #route({ method = '', url = '' }: IncomingMessage): Received['format'] | Answer {
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    const allowed = routes[path];
    if (!allowed) {
      const known = Object.keys(routes).join(', ');
      throw new HttpRefusal(404, 'EW_HTTP_NOT_FOUND', `Remedy: send to one of ${known}.`);
    }
    if (!allowed.includes(method)) {
      const message = `${path} takes ${allowed.join(' and ')}, not ${method}.`;
      return {
        status: 405,
        headers: { allow: allowed.join(', ') },
        body: { code: 'EW_HTTP_REQUEST', message },
      };
    }
    if (path === '/ping') return { status: 204 };
    if (path === '/rows') return 'rows';
    return question < 0 ? 'ns' : precisionOf(url.slice(question + 1));
  }

  #answer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    if (answer.status >= 400) this.#options.onRefusal(answer.status);
    if (!request.complete) request.resume();
    send(response, answer, this.#stopping);
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.destroyed) return; // the client went; there is nobody to tell
    const told =
      error instanceof HttpRefusal ? error : new HttpRefusal(500, 'EW_HTTP_FAILED', messageOf(error));
    this.#answer(request, response, refusal(told));
  }
}

const routes: Readonly<Record<string, readonly string[]>> = {
  '/write': ['POST'],
  '/api/v2/write': ['POST'],
  '/rows': ['POST'],
  '/ping': ['GET', 'HEAD'],
};

const usualQueries = new Map(precisions.map(precision => [`precision=${precision}`, precision]));

function precisionOf(query: string): Precision {
  const usual = usualQueries.get(query);
  if (usual) return usual;
  const given = new URLSearchParams(query).get('precision') ?? 'ns';
  const precision = precisionNamed(given);
  if (precision) return precision;
  const known = precisions.join(', ');
  throw new HttpRefusal(
    400,
    'EW_HTTP_REQUEST',
    `precision is "${given.slice(0, 20)}". Remedy: use one of ${known}.`,
  );
}

function keyOf({ headers }: IncomingMessage): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && key !== '' && key.length <= mostKeyCharacters) return key;
  throw new HttpRefusal(
    400,
    'EW_HTTP_REQUEST',
    `Idempotency-Key must have 1 to ${mostKeyCharacters} characters. Remedy: send a UUID, the same for each retry.`,
  );
}

function listenError(host: string, port: number, error: Error & { code?: string }): EdgewardError {
  const soon = error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL';
  const hint =
    error.code === 'EADDRINUSE' ? ' Another program has it: stop that, or choose another port.' : '';
  return new EdgewardError(
    soon ? 'EW_SOURCE_UNAVAILABLE' : 'EW_LISTEN',
    `The http source cannot listen on ${host} port ${port} (${error.code ?? error.message}).${hint}`,
    { cause: error },
  );
}
