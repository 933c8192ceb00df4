/** A real HTTP server that plays a receiver of webhooks, and what one collector process has of notifiers over HTTP. */

import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import { type Logger, silentLogger } from '@edgeward/shared/log';
import { testCertificate, testKey } from '@edgeward/shared/testing/test-certificate';
import { AlertStore } from '../alerts/alert-store.js';
import type { Incident } from '../alerts/incident.js';
import { notifyConfig } from '../notifiers/http/config.js';
import { Notifiers } from '../notifiers/http/notifiers.js';
import type { MailKind } from '../notifiers/mail.js';
import type { NoticeView } from '../views.js';
import { afterwards } from './alert-bench.js';
import { anIncident } from './an-incident.js';
import { putInto } from './mail-server.js';

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What becomes of one request; `take` notes it as received. */
export type Mood = (response: ServerResponse, take: () => void, posted: Posted) => void;

export const moods = {
  fine: (response, take) => {
    take();
    response.end('ok');
  },
  hang: () => undefined,
  trickle: response => {
    const drip = setInterval(() => response.writeProcessing(), 20);
    response.on('close', () => clearInterval(drip));
  },
  /** Taken, and nobody will hear of it. */
  cut: (response, take) => {
    take();
    response.destroy();
  },
} satisfies Record<string, Mood>;

export function answering(status: number, headers: Readonly<Record<string, string>> = {}, text = 'no'): Mood {
  return response => void response.writeHead(status, headers).end(text);
}

export class HookServer {
  /** What it took. */
  readonly received: Posted[] = [];
  /** Of the next requests; then `mood`. */
  readonly next: Mood[] = [];
  mood: Mood = moods.fine;
  tries = 0;
  readonly #server;
  readonly #tls: boolean;
  #port = 0;

  private constructor(tls: boolean) {
    this.#tls = tls;
    const listener: Parameters<typeof createServer>[1] = async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      this.tries += 1;
      const posted = { path: request.url ?? '', headers: request.headers, text };
      (this.next.shift() ?? this.mood)(response, () => this.received.push(posted), posted);
    };
    this.#server = tls
      ? createTlsServer({ key: testKey, cert: testCertificate }, listener)
      : createServer(listener);
  }

  static async start(t: TestContext, { tls = false } = {}): Promise<HookServer> {
    const hook = new HookServer(tls);
    await hook.open();
    afterwards(t, () => hook.close());
    return hook;
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** At the same port as before. */
  async open(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

export async function secretFile(folder: string, name: string, text: string): Promise<{ file: string }> {
  const file = path.join(folder, name);
  await writeFile(file, `${text}\n`);
  return { file };
}

export interface NoticeProcessOptions {
  readonly clock?: Clock;
  readonly store?: AlertStore;
  readonly log?: Logger;
}

/** The notifiers of one process, running until the test ends or `stop`. */
export async function noticeProcess(
  t: TestContext,
  folder: string,
  config: Parameters<typeof notifyConfig.parse>[0],
  options: NoticeProcessOptions = {},
) {
  const { clock = systemClock, log = silentLogger } = options;
  const store = options.store ?? new AlertStore({ directory: `${folder}/incidents`, log });
  const notifiers = new Notifiers({
    config: notifyConfig.parse(config),
    store,
    collector: 'main',
    linkBase: 'https://page.example',
    log,
    clock,
    times: { firstRetryMs: 10, lastRetryMs: 50 },
  });
  await notifiers.open();
  const stopping = new AbortController();
  const running = notifiers.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
    await store[Symbol.asyncDispose]();
  };
  afterwards(t, stop);
  const put = (kind: MailKind, incident: Incident = anIncident()) =>
    putInto(notifiers, store, kind, incident);
  return { notifiers, put, stop, store };
}

/** Resolves at the first change, or now, after which it is as wanted. */
export function untilNotice(
  notifiers: Notifiers,
  id: string,
  wanted: (notice: NoticeView) => boolean,
): Promise<NoticeView> {
  return new Promise(resolve => {
    const look = () => {
      const notice = notifiers.list(10_000).find(one => one.id === id);
      if (notice && wanted(notice)) resolve(notice);
    };
    notifiers.onChange(look);
    look();
  });
}
