/** Mails over a real SMTP server: nothing of ours is faked but the clock's patience. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { ClassicLevel } from 'classic-level';
import { AlertStore } from '../alerts/alert-store.js';
import { afterwards, temporaryFolder } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { answer, configFor, mailProcess, mailServer, until } from '../testing/mail-server.js';
import type { MailView } from '../views.js';
import type { ChartMaker, StoredChart } from './charts.js';
import { mailConfig } from './config.js';
import { MailQueue } from './mail-queue.js';

const opened = 'inc-0123456789abcdef-opened';
const isSent = (mail: MailView) => mail.state === 'sent';
const limit = { timeout: 30_000 };

test('without SMTP mails are kept and shown', limit, async t => {
  const folder = await temporaryFolder(t);
  const first = await mailProcess(t, folder, configFor(undefined));
  await first.put('opened');
  const [mail] = first.queue.list(10);
  assert.equal(mail?.state, 'kept');
  assert.match(mail?.reason ?? '', /no SMTP/);
  await first.stop();
  const { queue } = await mailProcess(t, folder, configFor(undefined));
  const body = await queue.body(opened);
  assert.match(body?.html ?? '', /dischargePressure/);
  assert.match(body?.text ?? '', /CRITICAL: pump-1/);
  assert.equal(await queue.body('unknown'), undefined);
});

test(
  'whoever opens a new mail on the page sees its chart, though that is still being drawn',
  limit,
  async t => {
    const folder = await temporaryFolder(t);
    const clock = systemClock;
    const store = new AlertStore({ directory: `${folder}/incidents`, log: silentLogger });
    let finish: (chart: StoredChart) => void = () => undefined;
    const charts: ChartMaker = { chartOf: () => new Promise(resolve => (finish = resolve)) };
    const queue = new MailQueue({ store, config: configFor(undefined), charts, log: silentLogger, clock });
    const stopping = new AbortController();
    const running = queue.run(stopping.signal);
    afterwards(t, async () => {
      stopping.abort();
      await running;
      await store[Symbol.asyncDispose]();
    });
    await queue.open();
    const { operations, committed } = queue.prepare([{ kind: 'opened', incident: anIncident() }]);
    await store.commit(operations);
    committed();
    const body = queue.body(opened);
    // The store answers in order: without waiting, its answer would be there before this one.
    await queue.letter(opened);
    finish({ png: 'AAAA', alt: 'x', width: 1, height: 1 });
    assert.match((await body)?.html ?? '', /src="data:image\/png;base64,AAAA"/);
  },
);

test('sends HTML and text to everybody, threaded by stable ids', limit, async t => {
  const server = await mailServer(t);
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(server.port));
  await put('opened');
  await put('critical');
  await put('closed', anIncident({ state: 'closed', closedMs: Date.UTC(2026, 0, 1, 0, 1) }));
  await until(queue, 'inc-0123456789abcdef-closed', isSent);
  assert.equal(server.received.length, 3);
  const [first, second, third] = server.received.map(mail => mail.raw);
  assert.deepEqual(server.received[0]?.to, ['shift@plant.example', 'chief@plant.example']);
  assert.match(first ?? '', /^Message-ID: <inc-0123456789abcdef-opened@plant\.example>/m);
  assert.match(first ?? '', /^Content-Type: multipart\/alternative/m);
  assert.match(first ?? '', /^Auto-Submitted: auto-generated/m);
  assert.doesNotMatch(first ?? '', /^In-Reply-To/m);
  for (const reply of [second, third]) {
    assert.match(reply ?? '', /^In-Reply-To: <inc-0123456789abcdef-opened@plant\.example>/m);
    assert.match(reply ?? '', /^References: <inc-0123456789abcdef-opened@plant\.example>/m);
  }
});

test('a device name cannot add a header or a recipient', limit, async t => {
  const server = await mailServer(t);
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(server.port));
  const evil = 'pump\r\nBcc: evil@example.com\r\n\r\n<script>x</script>';
  await put('opened', anIncident({ device: evil, gateway: evil, title: `${evil}: high` }));
  await until(queue, opened, isSent);
  const [mail] = server.received;
  assert.deepEqual(mail?.to, ['shift@plant.example', 'chief@plant.example']);
  const header = mail?.raw.split('\r\n\r\n')[0] ?? '';
  assert.doesNotMatch(header, /^(bcc|pump)/im);
  const html = mail?.raw.split('Content-Type: text/html')[1] ?? '';
  assert.match(html, /<h1/);
  assert.doesNotMatch(html, /<script>/);
});

test('one recipient for now, one for good: each gets it once or is named', limit, async t => {
  let asked = 0;
  const server = await mailServer(t, {
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('chief') && asked++ === 0) return done(answer(450, 'greylisted'));
      done(address.startsWith('gone') ? answer(550, 'unknown') : null);
    },
  });
  const to = ['shift@plant.example', 'gone@plant.example', 'chief@plant.example'];
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(server.port, { to }));
  await put('opened');
  const sent = await until(queue, opened, isSent);
  assert.match(sent.reason ?? '', /refused for gone@plant\.example/);
  assert.deepEqual(
    server.received.map(mail => mail.to),
    [['shift@plant.example'], ['chief@plant.example']],
  );
});

test('logs in with the secret, and a wrong one delays', limit, async t => {
  const { env } = process;
  env.EDGEWARD_TEST_SMTP = 'wrong';
  afterwards(t, async () => void delete env.EDGEWARD_TEST_SMTP);
  const server = await mailServer(t, {
    authOptional: false,
    onAuth({ password }, _session, done) {
      if (password === 'right') return done(null, { user: 'edgeward' });
      done(answer(535, 'bad credentials'));
    },
  });
  const smtp = { host: '127.0.0.1', port: server.port, secure: 'none' as const };
  const login = { ...smtp, user: 'edgeward', password: { env: 'EDGEWARD_TEST_SMTP' } };
  const { queue, put } = await mailProcess(
    t,
    await temporaryFolder(t),
    configFor(undefined, { smtp: login }),
  );
  await put('opened');
  const delayed = await until(queue, opened, mail => mail.reason !== null);
  assert.equal(delayed.state, 'queued');
  assert.doesNotMatch(delayed.reason ?? '', /wrong/);
  env.EDGEWARD_TEST_SMTP = 'right';
  await until(queue, opened, isSent);
});

test('starttls never falls back to plain text', limit, async t => {
  const server = await mailServer(t);
  const smtp = { host: '127.0.0.1', port: server.port, secure: 'starttls' as const };
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(undefined, { smtp }));
  await put('opened');
  const delayed = await until(queue, opened, mail => mail.reason !== null);
  assert.equal(delayed.state, 'queued');
  assert.equal(server.received.length, 0);
});

test('refuses a configuration that could not work', () => {
  const good = { from: 'a@b.example', to: ['c@d.example'] };
  assert.equal(mailConfig.parse(good).sendClosing, true);
  assert.throws(() => mailConfig.parse({ ...good, to: [] }));
  assert.throws(() => mailConfig.parse({ ...good, from: 'a@b\r\nBcc: x@y' }));
  assert.throws(() => mailConfig.parse({ ...good, linkBase: 'javascript:alert(1)' }));
  assert.throws(() => mailConfig.parse({ ...good, smtp: { host: 'h', password: 'plain' } }));
  assert.throws(() => mailConfig.parse({ ...good, tto: 'x' }));
});

test('one whose stored text is damaged fails alone, and delays no other', limit, async t => {
  const folder = await temporaryFolder(t);
  const first = await mailProcess(t, folder, configFor(1));
  for (const id of ['inc-1', 'inc-2']) await first.put('opened', anIncident({ id }));
  await first.stop();
  const db = new ClassicLevel<string, string>(`${folder}/incidents`);
  await db.put('body/inc-1-opened', '{"text": "incid');
  await db.close();
  const server = await mailServer(t);
  const { queue } = await mailProcess(t, folder, configFor(server.port));
  await until(queue, 'inc-2-opened', isSent);
  const lost = await until(queue, 'inc-1-opened', ({ state }) => state === 'failed');
  assert.match(lost.reason ?? '', /lost with a damaged store/);
  assert.equal(server.received.length, 1);
});

test('of what is done the mails of incidents that are over go first', limit, async t => {
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(undefined));
  await put('opened', anIncident({ id: 'inc-long' }));
  const kinds = ['opened', 'closed'] as const;
  const others = Array.from({ length: 505 }, (_, i) =>
    kinds.map(kind => ({ kind, incident: anIncident({ id: `inc-${i}` }) })),
  );
  for (const some of [others.slice(0, 495), others.slice(495)]) queue.prepare(some.flat()).committed();
  await put('closed', anIncident({ id: 'inc-long' }));
  const left = queue.list(2000).map(({ id }) => id);
  assert.equal(left.length, 1000);
  assert.ok(left.includes('inc-long-opened') && left.includes('inc-long-closed'));
});
