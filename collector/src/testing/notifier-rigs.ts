/** Every notifier with a real server of its kind, under one interface: see notifiers/conformance.test.ts. */
import type { TestContext } from 'node:test';
import type { Logger } from '@edgeward/shared/log';
import type { AlertStore } from '../alerts/alert-store.js';
import type { Incident } from '../alerts/incident.js';
import { deliveryId } from '../notifiers/http/event.js';
import type { MailKind } from '../notifiers/mail.js';
import type { Outlet } from '../notifiers/outlet.js';
import { answering, HookServer, moods, noticeProcess, secretFile, untilNotice } from './hook-server.js';
import { answer, configFor, mailProcess, mailServer, until } from './mail-server.js';

/** What its server does with one try. `cut`: takes it, and says nothing. `barred`: takes nothing from us now. */
export type Fault = 'hang' | 'temporary' | 'permanent' | 'cut' | 'barred';

export interface Told {
  /** Of the delivery, as the receiver sees it. */
  readonly id: string;
  readonly text: string;
}

export interface Standing {
  readonly id: string;
  readonly state: string;
  readonly reason: string | null;
}

export interface RigProcess {
  readonly outlet: Outlet;
  readonly store: AlertStore;
  put(kind: MailKind, incident?: Incident): Promise<void>;
  until(id: string, wanted: (one: Standing) => boolean): Promise<Standing>;
  list(): readonly Standing[];
  /** What the page shows of it. */
  body(id: string): Promise<unknown>;
  stop(): Promise<void>;
}

export interface ProcessOptions {
  readonly store?: AlertStore;
  readonly log?: Logger;
}

export interface Rig {
  /** Of the next tries. */
  readonly faults: Fault[];
  /** Hangs at each try of what has this in it. */
  hangsOn: string | undefined;
  received(): readonly Told[];
  tries(): number;
  /** The delivery id of an event. */
  idOf(incident: string, kind: MailKind): string;
  down(): Promise<void>;
  up(): Promise<void>;
  process(options?: ProcessOptions): Promise<RigProcess>;
  /** What nobody may read anywhere. */
  readonly secrets: readonly string[];
}

export type StartRig = (t: TestContext, folder: string) => Promise<Rig>;

const password = 'smtp-hunter2';

const mail: StartRig = async (t, folder) => {
  const rig = { faults: [] as Fault[], hangsOn: undefined as string | undefined };
  const told: Told[] = [];
  let tries = 0;
  const start = (port: number) =>
    mailServer(
      t,
      {
        authOptional: false,
        allowInsecureAuth: true,
        onAuth: (_auth, _session, done) => done(null, { user: 'edgeward' }),
        onData(stream, _session, done) {
          const chunks: Buffer[] = [];
          stream.on('data', chunk => chunks.push(chunk));
          stream.on('end', () => {
            tries += 1;
            const text = Buffer.concat(chunks).toString('utf8');
            const fault = rig.hangsOn && text.includes(rig.hangsOn) ? 'hang' : rig.faults.shift();
            const id = /^Message-ID: <([^>]+)>/m.exec(text)?.[1] ?? '';
            if (fault === 'hang') return;
            if (fault === 'temporary') return done(answer(451));
            if (fault === 'permanent') return done(answer(550));
            if (fault === 'barred') return done(answer(421));
            told.push({ id, text });
            if (fault === 'cut') server.cut();
            else done();
          });
        },
      },
      port,
    );
  let server = await start(0);
  const { port } = server;
  const login = { user: 'edgeward', password: await secretFile(folder, 'smtp', password) };
  const smtp = { host: '127.0.0.1', port, secure: 'none' as const, ...login };
  const config = configFor(undefined, { smtp, to: ['shift@plant.example'] });
  return Object.assign(rig, {
    secrets: [password, Buffer.from(password).toString('base64')],
    received: () => told,
    tries: () => tries,
    idOf: (incident: string, kind: MailKind) => `${incident}-${kind}@plant.example`,
    down: () => server.close(),
    up: async () => {
      server = await start(port);
    },
    async process(options: ProcessOptions = {}) {
      const { queue, put, stop, store } = await mailProcess(t, folder, config, {
        ...options,
        sender: { silenceMs: 250 },
      });
      return {
        outlet: queue,
        store,
        put,
        stop,
        until: (id: string, wanted: (one: Standing) => boolean) => until(queue, id, wanted),
        list: () => queue.list(10_000),
        body: (id: string) => queue.body(id),
      };
    },
  });
};

const token = 'token-hunter2';
const urlSecret = 'T012/B345/url-hunter2';
const key = Buffer.from('a key of signatures, 32 bytes!!!').toString('base64');

function overHttp(name: string, configOf: (common: object, folder: string) => Promise<object>): StartRig {
  return async (t, folder) => {
    const server = await HookServer.start(t);
    const rig = { faults: [] as Fault[], hangsOn: undefined as string | undefined };
    const ofFault = {
      hang: moods.hang,
      cut: moods.cut,
      temporary: answering(500),
      permanent: answering(400),
      barred: answering(403),
    };
    server.mood = (response, take, posted) => {
      const fault = rig.hangsOn && posted.text.includes(rig.hangsOn) ? 'hang' : rig.faults.shift();
      (fault ? ofFault[fault] : moods.fine)(response, take, posted);
    };
    const url = await secretFile(folder, 'url', `${server.url}/services/${urlSecret}`);
    const config = await configOf({ name, url, timeoutMs: 250 }, folder);
    return Object.assign(rig, {
      secrets: [urlSecret, token, key],
      received: () =>
        server.received.map(({ headers, text }) => ({ id: String(headers['webhook-id']), text })),
      tries: () => server.tries,
      idOf: (incident: string, kind: MailKind) => deliveryId('main', incident, kind),
      down: () => server.close(),
      up: () => server.open(),
      async process(options: ProcessOptions = {}) {
        const { notifiers, put, stop, store } = await noticeProcess(t, folder, config, options);
        return {
          outlet: notifiers,
          store,
          put,
          stop,
          until: (id: string, wanted: (one: Standing) => boolean) => untilNotice(notifiers, id, wanted),
          list: () => notifiers.list(10_000),
          body: (id: string) => notifiers.body(name, id),
        };
      },
    });
  };
}

const slack = overHttp('slack', async common => ({ slack: [common] }));

const webhook = overHttp('webhook', async (common, folder) => ({
  webhooks: [
    {
      ...common,
      secret: await secretFile(folder, 'key', `whsec_${key}`),
      secrets: { token: await secretFile(folder, 'token', token) },
      headers: { authorization: 'Bearer {secret.token}' },
      body: {
        event: '{type}',
        on: '{data.device}: {data.title}',
        key: '{secret.token}',
        id: '{data.incident}',
      },
    },
  ],
}));

export const rigs: Readonly<Record<string, StartRig>> = { mail, slack, webhook };
