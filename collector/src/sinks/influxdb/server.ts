import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { readSecret } from '@edgeward/shared/config';
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { InfluxDB, type ParameterizedQuery, type Row, type SendOptions } from '@influxdata/influxdb-client';
import { failureOf, isMissingBucket, notFromInflux, type Rejection, rejectionOf } from './answers.js';
import { createBucket } from './bucket.js';
import type { InfluxdbConfig } from './config.js';

const compress = promisify(gzip);
/** A higher level saves a tenth of the bytes and costs three times the CPU. */
const level = constants.Z_BEST_SPEED;

/**
 * One InfluxDB server, as one token sees it. Every request is made once and answered by the server itself: the
 * client library's own queue and retries are not used, because the cursor may move only behind a real answer.
 */
export class InfluxServer implements Disposable {
  readonly #config: InfluxdbConfig;
  readonly #clock: Clock;
  readonly #agent: http.Agent;
  readonly #influx: InfluxDB;

  private constructor(config: InfluxdbConfig, clock: Clock, token: string, ca: Buffer | undefined) {
    const { url, timeoutMs } = config;
    this.#config = config;
    this.#clock = clock;
    this.#agent = url.startsWith('https:')
      ? new https.Agent({ keepAlive: true, ...(ca && { ca }) })
      : new http.Agent({ keepAlive: true });
    this.#influx = new InfluxDB({
      url,
      token,
      timeout: timeoutMs,
      transportOptions: { agent: this.#agent },
    });
  }

  /** @throws EW_SINK_DENIED if token or certificates cannot be read */
  static async open(config: InfluxdbConfig, clock: Clock): Promise<InfluxServer> {
    try {
      const token = await readSecret(config.token);
      const ca = config.tls && (await readFile(config.tls.ca));
      return new InfluxServer(config, clock, token, ca);
    } catch (error) {
      const what = `token or tls.ca cannot be read: ${messageOf(error)}`;
      throw new EdgewardError('EW_SINK_DENIED', `${what} Remedy: put it there.`, { cause: error });
    }
  }

  /**
   * @param text  lines
   * @returns undefined once they are stored
   * @throws EW_SINK_WRITE, EW_SINK_BUSY, EW_SINK_DENIED
   */
  async write(text: Buffer, deadline: AbortSignal): Promise<Rejection | undefined> {
    const { org, bucket, createBucket: wish } = this.#config;
    const path = `/api/v2/write?org=${encodeURIComponent(org)}&bucket=${encodeURIComponent(bucket)}&precision=us`;
    const body = this.#config.gzip ? await compress(text, { level }) : text;
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      ...(this.#config.gzip && { 'content-encoding': 'gzip' }),
    };
    const send = async () => {
      const { status } = await this.#request(path, { method: 'POST', headers, body }, deadline);
      if (status !== 204) throw notFromInflux(status);
    };
    try {
      try {
        await send();
      } catch (error) {
        if (!isMissingBucket(error) || !wish.allowed) throw error;
        await createBucket(
          this.#config,
          async (target, options) => (await this.#request(target, options, deadline)).text,
        );
        await send();
      }
      return undefined;
    } catch (error) {
      const rejection = rejectionOf(error);
      if (rejection) return rejection;
      throw this.#failure(error);
    }
  }

  /** @throws EW_SINK_WRITE, EW_SINK_BUSY, EW_SINK_DENIED */
  async query<T>(flux: ParameterizedQuery, each: (row: Row) => T): Promise<T[]> {
    const found: T[] = [];
    try {
      for await (const row of this.#influx.getQueryApi(this.#config.org).iterateRows(flux))
        found.push(each(row));
      return found;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** @throws HttpError for any status from 300, or whatever broke the connection */
  async #request(path: string, { body, ...options }: RequestOptions, deadline: AbortSignal): Promise<Answer> {
    const { timeoutMs } = this.#config;
    if (deadline.aborted) throw this.#cutOff('it was asked to stop');
    const ended = new AbortController();
    const end = () => ended.abort();
    // The library hangs up at no time-out and leaves its listener on every signal: this one it may have.
    const timer = setTimeout(end, timeoutMs);
    deadline.addEventListener('abort', end);
    try {
      return await this.#send(path, body, { ...options, signal: ended.signal });
    } catch (error) {
      if (!ended.signal.aborted) throw error;
      throw this.#cutOff(deadline.aborted ? 'it was asked to stop' : `no answer within ${timeoutMs} ms`);
    } finally {
      clearTimeout(timer);
      deadline.removeEventListener('abort', end);
    }
  }

  #send(path: string, body: Buffer | string, options: SendOptions): Promise<Answer> {
    const parts: Uint8Array[] = [];
    let status = 0;
    return new Promise((resolve, reject) => {
      // Its types ask for a string; what it does is Buffer.from, which takes both.
      this.#influx.transport.send(path, body as string, options, {
        responseStarted: (_, statusCode = 0) => {
          status = statusCode;
        },
        next: part => void parts.push(part),
        error: reject,
        complete: () => resolve({ status, text: Buffer.concat(parts).toString('utf8') }),
      });
    });
  }

  #cutOff(why: string): EdgewardError {
    return new EdgewardError('EW_SINK_WRITE', `InfluxDB at ${this.#config.url}: ${why}.`);
  }

  #failure(error: unknown): EdgewardError {
    const { org, bucket } = this.#config;
    return failureOf(error, { org, bucket, nowMs: this.#clock.now() });
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface RequestOptions {
  readonly method: 'GET' | 'POST';
  readonly headers?: Record<string, string>;
  readonly body: Buffer | string;
}

export type AskServer = (path: string, options: RequestOptions) => Promise<string>;
