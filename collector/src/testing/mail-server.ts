/** A real mail server in the test's own process, and what one collector process has of mails. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import { type Logger, silentLogger } from '@edgeward/shared/log';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { AlertStore } from '../alerts/alert-store.js';
import type { Incident } from '../alerts/incident.js';
import type { ChartMaker } from '../notifiers/charts.js';
import { type MailConfig, mailConfig } from '../notifiers/config.js';
import { illustrate } from '../notifiers/illustrator.js';
import type { MailKind } from '../notifiers/mail.js';
import { MailCourier } from '../notifiers/mail-courier.js';
import { MailQueue } from '../notifiers/mail-queue.js';
import type { Outlet } from '../notifiers/outlet.js';
import { type SenderOptions, SmtpSender } from '../notifiers/smtp.js';
import type { MailView } from '../views.js';
import { afterwards } from './alert-bench.js';
import { anIncident } from './an-incident.js';

export interface Received {
  readonly to: readonly string[];
  readonly raw: string;
}

/** A mail server that keeps what it is given; `refuse` may throw an SMTP answer. */
export async function mailServer(t: TestContext, options: SMTPServerOptions = {}, port = 0) {
  const received: Received[] = [];
  const answers: Error[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', chunk => chunks.push(chunk));
      stream.on('end', () => {
        const answer = answers.shift();
        if (answer) return done(answer);
        const to = session.envelope.rcptTo.map(one => one.address);
        received.push({ to, raw: Buffer.concat(chunks).toString('utf8') });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  const close = () => new Promise<void>(resolve => server.close(() => resolve()));
  afterwards(t, close);
  /** Without a word. */
  const cut = () => {
    for (const { _socket } of server.connections as Iterable<{ _socket: Socket }>) _socket.destroy();
  };
  return { port: (server.server.address() as AddressInfo).port, received, answers, close, cut };
}

export function kindsOf(received: readonly Received[]): (string | undefined)[] {
  return received.map(mail => /^Message-ID: <inc-\w+-(\w+)@/m.exec(mail.raw)?.[1]);
}

export function answer(responseCode: number, text = 'no'): Error {
  return Object.assign(new Error(text), { responseCode });
}

export function configFor(port: number | undefined, changes: Partial<MailConfig> = {}): MailConfig {
  return mailConfig.parse({
    from: 'Edgeward <edgeward@plant.example>',
    to: ['shift@plant.example', 'Chief <chief@plant.example>'],
    ...(port !== undefined && { smtp: { host: '127.0.0.1', port, secure: 'none' } }),
    ...changes,
  });
}

/** The queue of one process, its courier running until the test ends or `stop`. */
export interface MailProcessOptions {
  readonly clock?: Clock;
  readonly charts?: ChartMaker;
  readonly sender?: SenderOptions;
  readonly store?: AlertStore;
  readonly log?: Logger;
}

export async function mailProcess(
  t: TestContext,
  folder: string,
  config: MailConfig,
  options: MailProcessOptions = {},
) {
  const { clock = systemClock, charts } = options;
  const log = options.log ?? silentLogger;
  const store = options.store ?? new AlertStore({ directory: `${folder}/incidents`, log });
  const queue = new MailQueue({ store, config, charts, log, clock });
  await queue.open();
  const stopping = new AbortController();
  const sender = config.smtp && new SmtpSender(config.smtp, options.sender);
  const times = { firstRetryMs: 10, lastRetryMs: 50 };
  const courier = sender && new MailCourier({ queue, sender, log, clock, ...times });
  const running = Promise.all([
    courier?.run(stopping.signal),
    charts && illustrate({ queue, charts, clock }, stopping.signal),
  ]);
  const stop = async () => {
    stopping.abort();
    await running;
    await store[Symbol.asyncDispose]();
  };
  afterwards(t, stop);
  const put = (kind: MailKind, incident: Incident = anIncident()) => putInto(queue, store, kind, incident);
  return { queue, put, stop, store };
}

/** As the incident engine does. */
export async function putInto(
  outlet: Outlet,
  store: AlertStore,
  kind: MailKind,
  incident: Incident,
): Promise<void> {
  const { operations, committed } = outlet.prepare([{ kind, incident }]);
  await store.commit([...operations]);
  committed();
}

/** Resolves at the first change, or now, after which the mail is as wanted. */
export function until(queue: MailQueue, id: string, wanted: (mail: MailView) => boolean): Promise<MailView> {
  return new Promise(resolve => {
    const look = () => {
      const mail = queue.list(100).find(one => one.id === id);
      if (mail && wanted(mail)) resolve(mail);
    };
    queue.onChange(look);
    look();
  });
}
