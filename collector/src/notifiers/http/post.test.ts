/** Answers of real servers, and of those that are none. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { testCertificate } from '@edgeward/shared/testing/test-certificate';
import { command } from '../../notify-command.js';
import { temporaryFolder } from '../../testing/alert-bench.js';
import { anIncident } from '../../testing/an-incident.js';
import {
  answering,
  HookServer,
  moods,
  noticeProcess,
  secretFile,
  untilNotice,
} from '../../testing/hook-server.js';
import type { NoticeView } from '../../views.js';
import { Retries } from '../retries.js';
import { notifyConfig } from './config.js';
import { eventOf } from './event.js';
import { attempt } from './notice-courier.js';
import { targetsOf } from './notifiers.js';
import type { Outcome } from './post.js';
import { signedHeaders, signingKeys } from './signature.js';

type Context = Parameters<typeof temporaryFolder>[0];

const limit = { timeout: 30_000 };
const never = new AbortController().signal;
const nowMs = Date.UTC(2026, 0, 1);
const event = eventOf({ kind: 'opened', incident: anIncident() }, { collector: 'main', nowMs });

async function asked(t: Context, url: string, options: object = {}, list = 'webhooks'): Promise<Outcome> {
  const folder = await temporaryFolder(t);
  const file = await secretFile(folder, 'url', url);
  const config = notifyConfig.parse({ [list]: [{ name: 'a', url: file, timeoutMs: 250, ...options }] });
  return attempt(targetsOf(config)[0]!, event, never, nowMs);
}

test('what a status means', limit, async t => {
  const server = await HookServer.start(t);
  const ask = async (status: number, headers = {}, text = '', list = 'webhooks') => {
    server.mood = answering(status, headers, text);
    return asked(t, `${server.url}/T0/B0`, {}, list);
  };
  for (const status of [200, 201, 202, 204]) assert.deepEqual(await ask(status), { kind: 'sent' });
  for (const status of [429, 502, 503, 504])
    assert.deepEqual(await ask(status), {
      kind: 'later',
      wide: true,
      reason: `the server answered with HTTP status ${status}`,
      afterMs: 0,
    });
  for (const [status, pattern] of [
    [401, /headers and the secrets/],
    [403, /headers and the secrets/],
    [404, /right one into the url/],
    [407, /proxy/],
  ] as const) {
    const outcome = await ask(status, {}, 'hunter2 '.repeat(1000));
    assert.ok(outcome.kind === 'later' && outcome.wide, `${status}`);
    assert.match(outcome.reason, pattern);
    assert.doesNotMatch(outcome.reason, /hunter2/);
  }
  for (const status of [408, 425, 500, 501, 599]) {
    const outcome = await ask(status);
    assert.ok(outcome.kind === 'later' && !outcome.wide, `${status}`);
  }
  for (const [status, pattern] of [
    [400, /look at the body/],
    [410, /take the notifier out/],
    [413, /shorter/],
    [418, /418$/],
  ] as const) {
    const outcome = await ask(status, {}, 'hunter2 '.repeat(1000));
    assert.ok(outcome.kind === 'refused');
    assert.match(outcome.reason, pattern);
    assert.doesNotMatch(outcome.reason, /hunter2/, 'what a server says is not told on');
  }
  const archived = await ask(410, {}, 'channel_is_archived', 'slack');
  assert.ok(archived.kind === 'refused' && /channel is archived; open it again/.test(archived.reason));
  const odd = await ask(404, {}, 'toString', 'slack');
  assert.ok(odd.kind === 'later' && /404: there is nothing/.test(odd.reason));
});

test('patience that a server asks for is kept, up to an hour', limit, async t => {
  const server = await HookServer.start(t);
  for (const [asks, ms] of [
    ['7', 7000],
    ['999999', 3_600_000],
    [new Date(nowMs + 90_000).toUTCString(), 90_000],
    [new Date(nowMs - 90_000).toUTCString(), 0],
    ['soon', 0],
    ['-5', 0],
  ] as const) {
    server.mood = answering(429, { 'retry-after': asks });
    const outcome = await asked(t, server.url);
    assert.ok(outcome.kind === 'later' && outcome.afterMs === ms, `${asks}: ${JSON.stringify(outcome)}`);
  }
  const clock = new FakeClock();
  const retries = new Retries(clock, { firstRetryMs: 10, lastRetryMs: 20 });
  const waiting = [{ view: { id: 'a' } }, { view: { id: 'b' } }];
  retries.outage('a', 7000);
  await clock.advance(6999);
  assert.equal(retries.next(waiting), undefined);
  await clock.advance(1);
  assert.equal(retries.next(waiting)?.view.id, 'b', 'what was not tried yet goes first');
});

test('redirects are not followed', limit, async t => {
  const [server, other] = [await HookServer.start(t), await HookServer.start(t)];
  for (const status of [301, 302, 307, 308]) {
    server.mood = answering(status, { location: other.url });
    const outcome = await asked(t, server.url);
    assert.ok(outcome.kind === 'later' && outcome.wide && /redirects are not followed/.test(outcome.reason));
    assert.ok(!outcome.reason.includes(other.url));
  }
  assert.equal(other.tries, 0);
});

test(
  'a server that is silent, trickles or breaks off is no yes; one that answers yes and then hangs is',
  limit,
  async t => {
    const server = await HookServer.start(t);
    for (const mood of [moods.hang, moods.trickle]) {
      server.mood = mood;
      const outcome = await asked(t, server.url);
      assert.ok(outcome.kind === 'later' && outcome.wide && /no answer within 250 ms/.test(outcome.reason));
    }
    server.mood = response => response.destroy();
    const broken = await asked(t, server.url);
    assert.ok(broken.kind === 'later' && /ECONNRESET/.test(broken.reason));
    server.mood = response => void response.writeHead(101, { upgrade: 'x', connection: 'upgrade' }).end();
    assert.equal((await asked(t, server.url)).kind, 'later');
    server.mood = response => void response.writeHead(200).write('o');
    assert.deepEqual(await asked(t, server.url), { kind: 'sent' });
    server.mood = response => {
      response.writeHead(400);
      const flood = setInterval(() => response.write('x'.repeat(1000)), 1);
      response.on('close', () => clearInterval(flood));
    };
    assert.equal((await asked(t, server.url)).kind, 'refused');
  },
);

test('only to a server whose certificate is trusted', limit, async t => {
  const server = await HookServer.start(t, { tls: true });
  const stranger = await asked(t, server.url);
  assert.ok(stranger.kind === 'later' && /certificate is not trusted; give ca/.test(stranger.reason));
  assert.equal(server.tries, 0);
  const ca = path.join(await temporaryFolder(t), 'ca.pem');
  await writeFile(ca, testCertificate);
  assert.deepEqual(await asked(t, server.url, { ca }), { kind: 'sent' });
});

test('an address that cannot be right delays and is not told', limit, async t => {
  for (const [url, pattern] of [
    ['hooks.example/hunter2', /is no address/],
    ['ftp://hooks.example/hunter2', /is no address/],
    ['https://u:hunter2@hooks.example/', /has a user or password/],
    ['http://192.0.2.1/hunter2', /readable.*allowHttp/],
  ] as const) {
    const outcome = await asked(t, url);
    assert.ok(outcome.kind === 'later' && outcome.wide, url);
    assert.match(outcome.reason, pattern);
    assert.doesNotMatch(outcome.reason, /hunter2/);
  }
  const missing = await asked(t, 'https://hooks.example/', { secret: { env: 'EDGEWARD_NOT_SET' } });
  assert.ok(missing.kind === 'later' && /EDGEWARD_NOT_SET .* is not set/.test(missing.reason));
});

test('a request is signed anew with each try, and a corrected secret counts at once', limit, async t => {
  const server = await HookServer.start(t);
  const folder = await temporaryFolder(t);
  const keys = [1, 2].map(n => Buffer.alloc(32, n).toString('base64'));
  const url = await secretFile(folder, 'url', `${server.url}/hook?x=1`);
  const secret = await secretFile(folder, 'key', 'nonsense');
  const config = { webhooks: [{ name: 'a', url, secret, headers: { 'x-device': '{data.device}' } }] };
  const { notifiers, put } = await noticeProcess(t, folder, config);
  await put('opened', anIncident({ id: 'inc-1', device: 'Pumpe Ü' }));
  const wrong = await untilNotice(notifiers, 'inc-1-opened', ({ reason }) => reason !== null);
  assert.match(wrong.reason ?? '', /24 to 64 bytes in base64/);
  assert.equal(server.tries, 0);
  await secretFile(folder, 'key', `whsec_${keys[0]}`);
  await untilNotice(notifiers, 'inc-1-opened', ({ state }: NoticeView) => state === 'sent');
  const [posted] = server.received;
  assert.ok(posted);
  assert.equal(posted.path, '/hook?x=1');
  assert.equal(posted.headers['x-device'], 'Pumpe ?');
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = posted.headers;
  const expected = (key: string) =>
    signedHeaders(String(id), 1000 * Number(at), posted.text, signingKeys(key))['webhook-signature'];
  assert.equal(signature, expected(keys[0]!));
  assert.notEqual(signature, expected(keys[1]!));
  assert.equal((JSON.parse(posted.text) as { id: string }).id, id);
});

test('edgeward notify sends one test, or shows it', limit, async t => {
  const server = await HookServer.start(t);
  const folder = await temporaryFolder(t);
  await secretFile(folder, 'url', `${server.url}/hunter2`);
  const config = path.join(folder, 'c.yaml');
  const hook = '{ name: shift, url: { file: ./url } }';
  await writeFile(config, `notify: { slack: [${hook}], webhooks: [{ name: hook, url: { file: ./url } }] }\n`);
  const run = async (values: Record<string, string>) => {
    const said: string[] = [];
    const stdout = { write: (text: string) => said.push(text) };
    const code = await command.run({ config, ...values }, { stdout, stop: never } as never);
    return { code, text: said.join('') };
  };
  const shown = await run({ preview: 'shift' });
  assert.ok(shown.code === 0 && /TEST: pump-1/.test(shown.text));
  assert.equal(server.tries, 0);
  for (const name of ['shift', 'hook'])
    assert.match((await run({ test: name })).text, /sent, as delivery msg_/);
  assert.match(server.received[0]!.text, /sent by hand, there is no such incident/);
  assert.equal((JSON.parse(server.received[1]!.text) as { test: boolean }).test, true);
  server.mood = answering(404, {}, 'no_service');
  const gone = await run({ test: 'shift' });
  assert.equal(gone.code, 1);
  assert.match(gone.text, /no_service: the webhook was removed/);
  assert.doesNotMatch(gone.text, /hunter2/);
  await assert.rejects(
    run({ test: 'none' }),
    /There is no notifier none under notify; there are: shift, hook/,
  );
  await assert.rejects(run({}), /either --test NAME or --preview NAME/);
});
