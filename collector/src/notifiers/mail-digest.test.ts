import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { temporaryFolder } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { configFor, mailProcess, mailServer, until } from '../testing/mail-server.js';
import { type MailConfig, mailConfig } from './config.js';
import { isHeld, isQuiet, recipientsOf } from './recipients.js';

const base = { from: 'edgeward@plant.example', to: ['shift@plant.example'] };
const limit = { timeout: 30_000 };
const noonMs = Date.UTC(2026, 0, 1, 12);
const hourMs = 3_600_000;

test('every route that fits adds its recipients, each once; what no route takes goes to all others', () => {
  const config = mailConfig.parse({
    ...base,
    routes: [
      { to: ['chief@plant.example'], severities: ['critical'] },
      { to: ['north@plant.example', 'chief@plant.example'], sites: ['north'] },
    ],
  });
  const to = (severity: 'info' | 'critical', site: string | null) => recipientsOf(config, { severity, site });
  assert.deepEqual(to('critical', 'south'), ['chief@plant.example']);
  assert.deepEqual(to('critical', 'north'), ['chief@plant.example', 'north@plant.example']);
  assert.deepEqual(to('info', 'north'), ['north@plant.example', 'chief@plant.example']);
  assert.deepEqual(to('info', null), ['shift@plant.example']);
});

test('quiet hours go by the clock of their place, over midnight too', () => {
  const quietHours = { from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' };
  const config = mailConfig.parse({ ...base, quietHours });
  const quiet = (hour: number, month = 0) => isQuiet(config, Date.UTC(2026, month, 1, hour));
  assert.deepEqual(
    [20, 21, 23, 4, 5].map(hour => quiet(hour)),
    [false, true, true, true, false],
  );
  assert.equal(quiet(20, 6), true, 'summer time');
  const noon = mailConfig.parse({ ...base, quietHours: { from: '12:00', to: '13:00' } });
  assert.deepEqual(
    [11, 12, 13].map(hour => isQuiet(noon, Date.UTC(2026, 0, 1, hour))),
    [false, true, false],
  );
  assert.equal(isHeld(noon, 'warning', noonMs), true);
  assert.equal(isHeld(noon, 'critical', noonMs), false);
});

test('refuses times and zones that do not exist', () => {
  const refuse = (more: object, message: RegExp) =>
    assert.throws(() => mailConfig.parse({ ...base, ...more }), message);
  refuse({ quietHours: { from: '24:00', to: '06:00' } }, /write it as 22:00/);
  refuse({ quietHours: { from: '06:00', to: '06:00' } }, /two different times/);
  refuse({ quietHours: { from: '22:00', to: '06:00', timeZone: 'Mars/Base' } }, /not a time zone/);
  refuse({ digest: { severities: ['critical'] } }, /severities/);
  refuse({ routes: [{ to: [] }] }, /to/);
});

async function quietPlant(t: Parameters<typeof mailServer>[0], changes: Partial<MailConfig> = {}) {
  const server = await mailServer(t);
  const config = configFor(server.port, changes);
  const folder = await temporaryFolder(t);
  return { server, config, folder };
}

const quietAtNoon = { quietHours: { from: '12:00', to: '13:00', timeZone: 'UTC' } };

test('at night only what is critical comes; in the morning the rest, in one mail', limit, async t => {
  const { server, config, folder } = await quietPlant(t, quietAtNoon);
  const clock = new FakeClock({ nowMs: noonMs });
  const first = await mailProcess(t, folder, config, { clock });
  await first.put('opened', anIncident({ id: 'inc-1', severity: 'warning' }));
  await first.put(
    'opened',
    anIncident({ id: 'inc-2', severity: 'info', device: 'pump-2', title: 'pump-2: hot' }),
  );
  await first.put('opened', anIncident({ id: 'inc-3', severity: 'critical' }));
  await until(first.queue, 'inc-3-opened', mail => mail.state === 'sent');
  assert.deepEqual(
    first.queue.list(10).map(({ state }) => state),
    ['sent', 'held', 'held'],
  );
  const fallen = { severity: 'warning', peakSeverity: 'critical' } as const;
  await first.put('closed', anIncident({ id: 'inc-3', ...fallen, state: 'closed' }));
  await until(first.queue, 'inc-3-closed', mail => mail.state === 'sent');
  await first.put('closed', anIncident({ id: 'inc-1', severity: 'warning', state: 'closed' }));
  await first.stop();

  // The night ends while it does not run.
  const morning = new FakeClock({ nowMs: noonMs + hourMs });
  const { queue } = await mailProcess(t, folder, config, { clock: morning });
  const digest = await new Promise<string>(resolve => {
    const look = () => {
      const found = queue.list(10).find(({ id, state }) => id.startsWith('digest') && state === 'sent');
      if (found) resolve(found.id);
    };
    queue.onChange(look);
    look();
  });
  assert.equal(server.received.length, 3);
  const body = await queue.body(digest);
  assert.match(body!.subject, /^\[digest\] 2 incidents, 1 open: north\/pump-station-1$/);
  assert.match(body!.text, /CLOSED: pump-1: dischargePressure high/, 'the last word on each incident counts');
  assert.match(body!.text, /INFO: pump-2: hot/);
  assert.equal(body!.incidentId, null);
  const held = queue.list(10).filter(({ state }) => state === 'merged');
  assert.deepEqual(
    held.map(({ reason }) => reason),
    [`in ${digest}`, `in ${digest}`, `in ${digest}`],
  );
});

test('minor incidents are gathered for an hour; one that stays alone comes as it is', limit, async t => {
  const { server, config, folder } = await quietPlant(t, {
    digest: { severities: ['info'], everyMs: hourMs },
  });
  const first = await mailProcess(t, folder, config, { clock: new FakeClock({ nowMs: noonMs }) });
  await first.put('opened', anIncident({ id: 'inc-1', severity: 'info' }));
  await first.put('opened', anIncident({ id: 'inc-2', severity: 'warning' }));
  await until(first.queue, 'inc-2-opened', mail => mail.state === 'sent');
  await first.stop();
  const early = await mailProcess(t, folder, config, {
    clock: new FakeClock({ nowMs: noonMs + hourMs - 1 }),
  });
  await early.put('opened', anIncident({ id: 'inc-3', severity: 'warning' }));
  await until(early.queue, 'inc-3-opened', mail => mail.state === 'sent');
  assert.equal(early.queue.list(10).at(-1)?.state, 'held');
  await early.stop();
  const due = await mailProcess(t, folder, config, { clock: new FakeClock({ nowMs: noonMs + hourMs }) });
  await until(due.queue, 'inc-1-opened', mail => mail.state === 'sent');
  assert.match(server.received.at(-1)!.raw, /^X-Edgeward-Kind: opened/m);
});

test('a digest does not tell what later mails have made old', limit, async t => {
  const { server, config, folder } = await quietPlant(t, {
    digest: { severities: ['info'], everyMs: hourMs },
  });
  const first = await mailProcess(t, folder, config, { clock: new FakeClock({ nowMs: noonMs }) });
  for (const id of ['inc-1', 'inc-2', 'inc-3'])
    await first.put('opened', anIncident({ id, severity: 'info', device: id, title: `${id}: hot` }));
  await first.put('critical', anIncident({ id: 'inc-1', severity: 'critical' }));
  await until(first.queue, 'inc-1-critical', mail => mail.state === 'sent');
  await first.stop();
  const due = await mailProcess(t, folder, config, { clock: new FakeClock({ nowMs: noonMs + hourMs }) });
  await until(due.queue, 'inc-1-opened', mail => mail.state === 'merged');
  const digest = await new Promise<string>(resolve => {
    const look = () => {
      const found = due.queue.list(10).find(({ id, state }) => id.startsWith('digest') && state === 'sent');
      if (found) resolve(found.id);
    };
    due.queue.onChange(look);
    look();
  });
  const { subject, text } = (await due.queue.body(digest))!;
  assert.match(subject, /2 incidents/);
  assert.doesNotMatch(text, /inc-1/);
  assert.equal(server.received.length, 2);
});

test('who was told that it began is told how it went on', limit, async t => {
  const routes = [{ to: ['desk@plant.example'], severities: ['warning' as const] }];
  const { server, config, folder } = await quietPlant(t, { routes });
  const { queue, put } = await mailProcess(t, folder, config);
  await put('opened', anIncident({ severity: 'warning' }));
  await put('critical', anIncident({ severity: 'critical' }));
  await until(queue, 'inc-0123456789abcdef-critical', mail => mail.state === 'sent');
  assert.deepEqual(
    server.received.map(({ to }) => to),
    [['desk@plant.example'], ['shift@plant.example', 'chief@plant.example', 'desk@plant.example']],
  );
});
