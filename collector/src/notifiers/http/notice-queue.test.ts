/** Who is told what and when, and what is kept of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { ClassicLevel } from 'classic-level';
import { AlertStore } from '../../alerts/alert-store.js';
import type { Incident } from '../../alerts/incident.js';
import { afterwards, temporaryFolder } from '../../testing/alert-bench.js';
import { anIncident } from '../../testing/an-incident.js';
import { HookServer, noticeProcess, secretFile, untilNotice } from '../../testing/hook-server.js';
import { putInto } from '../../testing/mail-server.js';
import type { NoticeView } from '../../views.js';
import type { MailKind } from '../mail.js';
import { notifyConfig } from './config.js';
import { NoticeQueue } from './notice-queue.js';
import { Notifiers } from './notifiers.js';
import { slackTarget, webhookTarget } from './target.js';

const limit = { timeout: 30_000 };
const url = { env: 'NOTHING' };
const night = { from: '22:00', to: '06:00', timeZone: 'UTC' };
const isSent = ({ state }: NoticeView) => state === 'sent';

async function queueOf(t: Parameters<typeof temporaryFolder>[0], options: object, more: object = {}) {
  const log = silentLogger;
  const store = new AlertStore({ directory: `${await temporaryFolder(t)}/incidents`, log });
  afterwards(t, () => store[Symbol.asyncDispose]());
  const config = notifyConfig.parse({ webhooks: [{ name: 'a', url, ...options }] }).webhooks[0]!;
  const clock = new FakeClock();
  const queue = new NoticeQueue({
    target: webhookTarget(config),
    store,
    collector: 'main',
    log,
    clock,
    ...more,
  });
  await queue.open();
  const put = (kind: MailKind, changes: Partial<Incident> = {}) =>
    putInto(queue, store, kind, anIncident({ id: 'inc-1', ...changes }));
  const told = () =>
    queue
      .list()
      .map(({ id }) => id)
      .reverse();
  return { queue, put, told, store };
}

test('severities, sites and events choose; whoever heard of the beginning hears the end', limit, async t => {
  const warning = { severity: 'warning' } as const;
  const cases: [object, (put: Awaited<ReturnType<typeof queueOf>>['put']) => Promise<void>, string[]][] = [
    [
      { severities: ['critical'] },
      async put => {
        await put('opened', warning);
        // Nor is its end news to those who heard of nothing.
        await put('closed', warning);
      },
      [],
    ],
    [
      { severities: ['critical'] },
      async put => {
        await put('opened', warning);
        await put('critical');
        // It has calmed down since.
        await put('closed', warning);
      },
      ['inc-1-critical', 'inc-1-closed'],
    ],
    [{ sites: ['south'] }, put => put('opened'), []],
    [{ sites: ['south'] }, put => put('opened', { site: 'south' }), ['inc-1-opened']],
    [{ sites: ['south'] }, put => put('opened', { site: null }), []],
    [{ events: ['critical'] }, put => put('opened'), ['inc-1-opened']],
    [{ events: ['critical'] }, put => put('opened', warning), []],
    [
      { events: ['opened', 'closed'] },
      async put => {
        for (const kind of ['opened', 'critical', 'update', 'closed', 'closed'] as const)
          await put(kind, warning);
      },
      ['inc-1-opened', 'inc-1-closed'],
    ],
  ];
  for (const [options, act, wanted] of cases) {
    const { put, told } = await queueOf(t, options);
    await act(put);
    assert.deepEqual(told(), wanted, JSON.stringify(options));
  }
});

test('when too many wait the oldest are lost and counted; what is done goes first', limit, async t => {
  const { queue, put, told, store } = await queueOf(t, {}, { maxNotices: 4 });
  for (const n of [1, 2, 3]) await put('opened', { id: `inc-${n}` });
  const done = queue.waiting().find(({ view }) => view.incidentId === 'inc-2')!;
  await queue.save({ ...done, view: { ...done.view, state: 'sent' } });
  await put('opened', { id: 'inc-4' });
  assert.equal(queue.lost, 0);
  await put('opened', { id: 'inc-5' });
  assert.deepEqual(told(), ['inc-1-opened', 'inc-3-opened', 'inc-4-opened', 'inc-5-opened']);
  assert.equal(queue.lost, 0, 'one that was sent made room');
  const underWay = queue.waiting()[0]!;
  await put('opened', { id: 'inc-6' });
  assert.deepEqual(told(), ['inc-3-opened', 'inc-4-opened', 'inc-5-opened', 'inc-6-opened']);
  assert.equal(queue.lost, 1);
  await queue.save(underWay);
  assert.equal(queue.list().length, 4, 'what was given up while it was under way stays away');
  assert.equal((await store.list('notice/')).length, 4);
  assert.equal((await store.list('notice-event/')).length, 4);
});

test('what cannot be made into news holds up neither the incident nor others', limit, async t => {
  const { queue, put, told } = await queueOf(t, {});
  await put('opened', { id: 'inc-bad', timeline: null as never });
  await put('opened', { id: 'inc-2' });
  assert.deepEqual(told(), ['inc-2-opened']);
  assert.equal(queue.lost, 1);
});

test(
  'Slack waits for the end of quiet hours, but for what is critical, and then tells the last of each',
  limit,
  async t => {
    const server = await HookServer.start(t);
    const folder = await temporaryFolder(t);
    const hook = { url: await secretFile(folder, 'url', server.url) };
    const config = { slack: [{ name: 's', ...hook, quietHours: night }], webhooks: [{ name: 'w', ...hook }] };
    const midnight = new FakeClock({ nowMs: Date.UTC(2026, 0, 2) });
    const first = await noticeProcess(t, folder, config, { clock: midnight });
    const calm = (id: string) => anIncident({ id, severity: 'warning' });
    for (const id of ['inc-1', 'inc-2']) await first.put('opened', calm(id));
    await first.put('closed', calm('inc-1'));
    await first.put('opened', anIncident({ id: 'inc-3' }));
    // It was held; then it became critical.
    await first.put('critical', anIncident({ id: 'inc-2' }));
    const ofSlack = () => first.notifiers.list(100).filter(({ notifier }) => notifier === 's');
    const waitFor = (id: string) =>
      new Promise<void>(resolve => {
        const look = () => ofSlack().some(one => one.id === id && isSent(one)) && resolve();
        first.notifiers.onChange(look);
        look();
      });
    await waitFor('inc-2-critical');
    await waitFor('inc-3-opened');
    const states = Object.fromEntries(ofSlack().map(({ id, state }) => [id, state]));
    assert.deepEqual(states, {
      'inc-1-opened': 'merged',
      'inc-1-closed': 'held',
      'inc-2-opened': 'merged',
      'inc-2-critical': 'sent',
      'inc-3-opened': 'sent',
    });
    await first.stop();
    const sent = server.received.length;
    const morning = new FakeClock({ nowMs: Date.UTC(2026, 0, 2, 6) });
    const { notifiers } = await noticeProcess(t, folder, { slack: config.slack }, { clock: morning });
    await untilNotice(notifiers, 'inc-1-closed', isSent);
    assert.ok(server.received.length > sent);
    const last = server.received.at(-1)!.text;
    assert.match(last, /\[closed\]/);
  },
);

test('what waits for a notifier that is gone goes with it', limit, async t => {
  const folder = await temporaryFolder(t);
  const down = { url: await secretFile(folder, 'url', 'http://127.0.0.1:1') };
  const first = await noticeProcess(t, folder, {
    webhooks: [
      { name: 'a', ...down },
      { name: 'b', ...down },
    ],
  });
  await first.put('opened');
  await first.stop();
  const { notifiers, store } = await noticeProcess(t, folder, { webhooks: [{ name: 'b', ...down }] });
  assert.deepEqual(
    notifiers.list(10).map(({ notifier }) => notifier),
    ['b'],
  );
  for (const prefix of ['notice/', 'notice-event/'])
    assert.deepEqual(
      (await store.list(prefix)).map(([key]) => key.split('/')[0]),
      ['b'],
    );
});

test('after five days it is given up, and shown as such', limit, async t => {
  const server = await HookServer.start(t);
  await server.close();
  const folder = await temporaryFolder(t);
  const clock = new FakeClock();
  const config = { webhooks: [{ name: 'a', url: await secretFile(folder, 'url', server.url) }] };
  const first = await noticeProcess(t, folder, config, { clock });
  await first.put('opened', anIncident({ id: 'inc-1' }));
  const delayed = await untilNotice(first.notifiers, 'inc-1-opened', ({ attempts }) => attempts > 0);
  assert.equal(delayed.state, 'queued');
  await first.stop();
  const late = new FakeClock({ nowMs: clock.now() + 5 * 86_400_000 + 1 });
  const second = await noticeProcess(t, folder, config, { clock: late });
  for (let tries = delayed.attempts + 1; tries < 12; tries++) {
    const tried = await untilNotice(second.notifiers, 'inc-1-opened', ({ attempts }) => attempts >= tries);
    assert.equal(tried.state, 'queued', 'a clock that was set ahead ends nothing at once');
    await late.advance(60);
  }
  const failed = await untilNotice(second.notifiers, 'inc-1-opened', ({ state }) => state === 'failed');
  assert.match(failed.reason ?? '', /given up after five days: .*ECONNREFUSED/);
});

test('one whose stored text is damaged fails alone, and delays no other', limit, async t => {
  const server = await HookServer.start(t);
  await server.close();
  const folder = await temporaryFolder(t);
  const config = { webhooks: [{ name: 'a', url: await secretFile(folder, 'url', server.url) }] };
  const first = await noticeProcess(t, folder, config);
  for (const id of ['inc-1', 'inc-2']) await first.put('opened', anIncident({ id }));
  await first.stop();
  const db = new ClassicLevel<string, string>(`${folder}/incidents`);
  await db.put('notice-event/a/inc-1-opened', '{"type": "incid');
  await db.close();
  await server.open();
  const second = await noticeProcess(t, folder, config);
  await untilNotice(second.notifiers, 'inc-2-opened', isSent);
  const lost = await untilNotice(second.notifiers, 'inc-1-opened', ({ state }) => state === 'failed');
  assert.match(lost.reason ?? '', /lost with a damaged store/);
  assert.equal(await second.notifiers.body('a', 'inc-1-opened'), undefined);
});

test('who was told that one began hears how it ended, however much was told meanwhile', limit, async t => {
  const { queue, put, told } = await queueOf(t, { severities: ['critical'] }, { maxNotices: 4 });
  const send = async () => {
    for (const one of queue.waiting()) await queue.save({ ...one, view: { ...one.view, state: 'sent' } });
  };
  await put('opened', { id: 'inc-long' });
  await send();
  for (let n = 1; n <= 6; n++)
    for (const kind of ['opened', 'closed'] as const) {
      await put(kind, { id: `inc-${n}` });
      await send();
    }
  assert.ok(told().includes('inc-long-opened'));
  await put('closed', { id: 'inc-long', severity: 'warning' });
  assert.ok(told().includes('inc-long-closed'));
  assert.equal(told().length, 4);
});

test('a store that cannot be read at first is read again', limit, async t => {
  const directory = `${await temporaryFolder(t)}/incidents`;
  let faults = 1;
  class Faulty extends AlertStore {
    override between(...range: Parameters<AlertStore['between']>) {
      return faults-- > 0 ? Promise.reject(new Error('no disk')) : super.between(...range);
    }
  }
  const store = new Faulty({ directory, log: silentLogger });
  afterwards(t, () => store[Symbol.asyncDispose]());
  const config = notifyConfig.parse({ webhooks: [{ name: 'a', url }] });
  const parts = { store, collector: 'main', log: silentLogger, clock: new FakeClock() };
  const notifiers = new Notifiers({ ...parts, config });
  await assert.rejects(notifiers.open(), /no disk/);
  await notifiers.open();
});

test('the page is shown *** for secrets', limit, async t => {
  const body = { key: '{secret.key}', title: '{data.title}' };
  const { queue, put } = await queueOf(t, { secrets: { key: url }, body });
  await put('opened');
  const event = await queue.event('inc-1-opened');
  assert.deepEqual(JSON.parse(queue.target.shown(event!)), { key: '***', title: event!.data.title });
  const slack = slackTarget(notifyConfig.parse({ slack: [{ name: 's', url }] }).slack[0]!);
  assert.match(slack.shown(event!), /"type": "header"/);
});
