import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { errorOf, testApi } from '../testing/api.js';
import { FakeViews } from '../testing/fake-views.js';
import { apiConfig, createApi } from './server.js';

const kill = { action: 'kill', gateway: 'gw-cold-1' };

test('every answer, errors included, carries the headers and no CORS', async () => {
  await using api = testApi();
  for (const url of ['/healthz', '/api/gateways', '/api/nothing', '/api/gateways?x=1']) {
    const { headers } = await api.get(url, { origin: 'https://evil.example' });
    assert.match(
      String(headers['content-security-policy']),
      /default-src 'self'.*frame-ancestors 'none'/,
      url,
    );
    assert.equal(headers['x-content-type-options'], 'nosniff', url);
    assert.equal(headers['referrer-policy'], 'no-referrer', url);
    assert.equal(headers['access-control-allow-origin'], undefined, url);
  }
});

test('foreign names in Host are refused: DNS rebinding', async () => {
  await using api = testApi({ config: { allowedOrigins: ['https://plant.example'] } });
  for (const host of ['localhost', '127.0.0.1:8080', '[::1]:8080', 'LOCALHOST:1', 'plant.example']) {
    assert.equal((await api.get('/api/gateways', { host })).statusCode, 200, host);
  }
  const foreign = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.1.5',
    'a@localhost',
  ];
  for (const host of foreign) {
    const error = errorOf(await api.get('/api/gateways', { host }), 403);
    assert.equal(error.code, 'EW_HTTP_REFUSED');
    assert.equal(error.field, 'Host');
    assert.equal(error.value, host);
  }
});

test('posts of other origins are refused before anything happens', async () => {
  await using api = testApi({ config: { allowedOrigins: ['https://plant.example'] } });
  const refused: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:9999' },
    { origin: 'null' },
    { origin: 'http://plant.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ];
  for (const headers of refused) {
    const error = errorOf(await api.post('/api/demo', kill, headers), 403);
    assert.equal(error.field, 'Origin', JSON.stringify(headers));
    errorOf(await api.post('/score', { sensorId: 's', timestamp: 1, value: 1 }, headers), 403);
  }
  assert.deepEqual(api.views.actions, []);
  const trusted: Record<string, string>[] = [
    {},
    { origin: 'http://localhost:8080' },
    { origin: 'https://plant.example' },
    { 'sec-fetch-site': 'same-origin' },
  ];
  for (const headers of trusted) {
    assert.equal((await api.post('/api/demo', kill, headers)).statusCode, 200, JSON.stringify(headers));
  }
});

test('a host that others can reach needs a password', () => {
  for (const host of ['0.0.0.0', '192.168.1.5', '::', 'plant.example']) {
    const config = apiConfig.parse({ host });
    assert.throws(
      () => createApi({ views: new FakeViews({ empty: true }), config, log: silentLogger }),
      error =>
        hasCode(error, 'EW_CONFIG_INVALID') &&
        error.message.includes(host) &&
        /api\.password/.test(error.message),
    );
  }
});

test('on any address, numeric hosts are fine: only names can be rebound', async () => {
  process.env.EDGEWARD_TEST_PASSWORD_A = 'long enough';
  await using api = testApi({
    config: { host: '0.0.0.0', password: { env: 'EDGEWARD_TEST_PASSWORD_A' } },
  });
  const authorization = `Basic ${Buffer.from('any:long enough').toString('base64')}`;
  assert.equal((await api.get('/api/gateways', { host: '192.168.1.5:8080', authorization })).statusCode, 200);
  errorOf(await api.get('/api/gateways', { host: 'evil.example', authorization }), 403);
});
