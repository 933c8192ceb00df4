import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { errorOf, testApi } from '../testing/api.js';
import { FakeViews } from '../testing/fake-views.js';
import * as schemas from './schemas.js';

/** A fleet with an open incident and its mail. */
function troubled(): FakeViews {
  const views = new FakeViews({ demo: true });
  views.inject('gw-north-1', 'pump-1', 'bearing-wear');
  views.advance(20_000);
  views.tell({ gateway: 'gw-north-1', kind: 'gap', text: '3 rows were not yet durable at a kill' });
  return views;
}

test('every reading route answers what its schema promises', async () => {
  await using api = testApi({ views: troubled() });
  const id = api.views.incidents(1)[0]!.id;
  const mail = api.views.mails(1)[0]!.id;
  const to = Date.now() + 60_000;
  const promised: Record<string, z.ZodType> = {
    '/healthz': z.strictObject({ live: z.literal(true) }),
    '/readyz': schemas.healthView,
    '/api/gateways': z.array(schemas.gatewayView).length(3),
    '/api/devices': z.array(schemas.deviceView).length(6),
    '/api/devices?gateway=gw-cold-1': z.array(schemas.deviceView).length(2),
    '/api/devices?gateway=_pipeline&device=_collector': z.array(schemas.deviceView).length(1),
    '/api/ledger': schemas.ledgerView,
    '/api/events?limit=1': z.array(schemas.eventView).length(1),
    '/api/incidents?limit=1': z.array(schemas.incident).length(1),
    [`/api/incidents/${id}`]: schemas.incident,
    '/api/mails': z.array(schemas.mailView).length(1),
    [`/api/mails/${mail}`]: schemas.mailView.extend({ text: z.string().min(1) }),
    '/api/notifications': z.array(schemas.noticeView).length(1),
    [`/api/notifications/pager/${id}-opened`]: schemas.noticeView.extend({ text: z.string().min(1) }),
    [`/api/series?gateway=gw-north-1&device=pump-1&from=1&to=${to}`]: schemas.seriesView,
    '/api/sinks': z.array(schemas.sinkView).length(3),
    '/api/sinks/lake/dead-letters?limit=2': schemas.sinkLettersView,
    '/api/demo': schemas.demoState,
  };
  for (const [url, schema] of Object.entries(promised)) {
    const response = await api.get(url);
    assert.equal(response.statusCode, 200, `${url}: ${response.body}`);
    assert.match(String(response.headers['content-type']), /^application\/json/);
    const result = schema.safeParse(response.json());
    assert.ok(result.success, `${url}: ${result.error?.message}`);
  }
});

test('readyz is 503 with the failing checks while a part is down', async () => {
  await using api = testApi();
  api.views.ready = false;
  const response = await api.get('/readyz');
  assert.equal(response.statusCode, 503);
  const checks = schemas.healthView.parse(response.json()).checks.filter(check => !check.ok);
  assert.deepEqual(
    checks.map(check => [check.name, check.detail]),
    [['sink:file', 'disk full']],
  );
  assert.equal((await api.get('/healthz')).statusCode, 200);
});

test('metrics are Prometheus text', async () => {
  await using api = testApi();
  const response = await api.get('/metrics');
  assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.match(response.body, /^collector_rows_stored_total 42$/m);
});

test('series: chosen fields, thinned to about the points asked for', async () => {
  await using api = testApi();
  const { time } = api.views.series({
    gateway: 'gw-north-1',
    device: 'pump-1',
    fields: [],
    fromMs: 1,
    toMs: Date.now() + 60_000,
    maxPoints: 10_000,
  })!;
  const url = '/api/series?gateway=gw-north-1&device=pump-1&fields=pressure,flow&points=50';
  const all = await api.get(`${url}&from=${time[0]}&to=${time.at(-1)}`);
  const body = schemas.seriesView.parse(all.json());
  assert.deepEqual(Object.keys(body.values), ['pressure', 'flow']);
  assert.ok(body.time.length > 20 && body.time.length <= 60, `${body.time.length} points`);
  assert.equal(body.values.flow?.length, body.time.length);
});

test('wrong queries name field, value and remedy', async () => {
  await using api = testApi();
  const pump = '/api/series?gateway=gw-north-1&device=pump-1&from=1&to=2';
  const cases: [url: string, field: string, value: unknown, remedy: RegExp][] = [
    ['/api/gateways?sort=name', 'sort', 'name', /Remove it/],
    ['/api/incidents?limit=0', 'limit', '0', /at least 1/],
    ['/api/incidents?limit=many', 'limit', 'many', /number/],
    ['/api/incidents?limit=1&limit=2', 'limit', ['1', '2'], /number/],
    ['/api/mails?limit=501', 'limit', '501', /at most 500/],
    ['/api/devices?gateway=../etc', 'gateway', '../etc', /openapi/],
    ['/api/series?device=pump-1&from=1&to=2', 'gateway', undefined, /string/],
    [`${pump}&fields=pressure,nope`, 'fields', 'nope', /motor_temperature/],
    [`${pump}&points=1`, 'points', '1', /at least 2/],
    ['/api/series?gateway=gw-north-1&device=pump-1&from=2&to=1', 'from', 2, /before/],
  ];
  for (const [url, field, value, remedy] of cases) {
    const error = errorOf(await api.get(url), 400);
    assert.equal(error.code, 'EW_HTTP_REQUEST', url);
    assert.equal(error.field, field, url);
    assert.deepEqual(error.value, value, url);
    assert.match(error.remedy ?? '', remedy, url);
  }
});

test('what does not exist is 404 with a remedy, unknown routes too', async () => {
  await using api = testApi();
  const urls = [
    '/api/incidents/none',
    '/api/mails/none',
    '/api/mails/none/html',
    '/api/series?gateway=gw-north-1&device=none&from=1&to=2',
    '/assets/none.js',
    '/assets/..%2f..%2fpackage.json',
    '/api/nothing',
  ];
  for (const url of urls) {
    const error = errorOf(await api.get(url), 404);
    assert.equal(error.code, 'EW_HTTP_NOT_FOUND', url);
    assert.ok(error.remedy, url);
  }
});

test('a mail is served as sent, in a sandbox that only our page may frame', async () => {
  await using api = testApi({ views: troubled() });
  const { id } = api.views.mails(1)[0]!;
  const response = await api.get(`/api/mails/${id}/html`);
  assert.equal(response.body, (await api.views.mail(id))?.html);
  assert.equal(response.headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(response.headers['x-content-type-options'], 'nosniff');
  const policy = String(response.headers['content-security-policy']);
  assert.match(policy, /^sandbox; default-src 'none'/);
  assert.match(policy, /frame-ancestors 'self'/);
});

test('a failure inside is 500 without a stack trace', async () => {
  await using api = testApi();
  api.views.ledger = () => {
    throw new Error('secret detail at /srv/x.js:1');
  };
  const response = await api.get('/api/ledger');
  const error = errorOf(response, 500);
  assert.equal(error.code, 'EW_HTTP_FAILED');
  assert.doesNotMatch(response.body, /secret|x\.js/);
});

test('demo actions are checked, done, and answered with the new state', async () => {
  await using api = testApi();
  const response = await api.post('/api/demo', { action: 'cut', gateway: 'gw-cold-1' });
  const state = schemas.demoState.parse(response.json());
  assert.equal(state.gateways.find(one => one.id === 'gw-cold-1')?.linkCut, true);
  assert.deepEqual(api.views.actions, [{ action: 'cut', gateway: 'gw-cold-1' }]);
  const error = errorOf(await api.post('/api/demo', { action: 'explode', gateway: 'gw-cold-1' }), 400);
  assert.equal(error.field, 'action');
  assert.equal(error.value, 'explode');
});

test('without the demo there is no demo route', async () => {
  await using api = testApi({ views: new FakeViews() });
  errorOf(await api.get('/api/demo'), 404);
  errorOf(await api.post('/api/demo', { action: 'kill', gateway: 'gw-cold-1' }), 404);
});
