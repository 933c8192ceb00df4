import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@edgeward/shared/contracts';
import { hasCode } from '@edgeward/shared/errors';
import { errorOf, testApi } from '../testing/api.js';

process.env.EDGEWARD_TEST_PASSWORD = 'pass:wörd';
const config = { password: { env: 'EDGEWARD_TEST_PASSWORD' } };

function basic(password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`operator:${password}`).toString('base64')}` };
}

test('with a password, only /healthz answers without it', async () => {
  await using api = testApi({ config });
  assert.equal((await api.get('/healthz')).statusCode, 200);
  for (const url of [
    '/',
    '/metrics',
    '/readyz',
    '/api/gateways',
    '/api/stream',
    '/api/openapi.json',
    '/none',
  ]) {
    const response = await api.get(url);
    assert.equal(errorOf(response, 401).code, 'EW_HTTP_PASSWORD', url);
    assert.match(String(response.headers['www-authenticate']), /^Basic realm=/);
  }
  assert.equal((await api.get('/api/gateways', basic('pass:wörd'))).statusCode, 200);
  for (const headers of [
    basic('wrong'),
    basic(''),
    { authorization: 'Basic !' },
    { authorization: 'Bearer x' },
  ]) {
    errorOf(await api.get('/api/gateways', headers), 401);
  }
});

test('wrong passwords slow the address down; time heals', async () => {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
  await using api = testApi({ config, clock });
  for (let i = 0; i < 5; i++) errorOf(await api.get('/api/gateways', basic('guess')), 401);
  const blocked = await api.get('/api/gateways', basic('pass:wörd'));
  errorOf(blocked, 429);
  assert.equal(blocked.headers['retry-after'], '1');
  now += 1000;
  assert.equal((await api.get('/api/gateways', basic('pass:wörd'))).statusCode, 200);
  errorOf(await api.get('/api/gateways', basic('guess')), 401);
  assert.equal(
    (await api.get('/api/gateways', basic('pass:wörd'))).statusCode,
    200,
    'a success clears the count',
  );
});

test('asking without a password is no guess', async () => {
  await using api = testApi({ config });
  for (let i = 0; i < 10; i++) errorOf(await api.get('/api/gateways'), 401);
});

test('a password that is not there fails the start', async () => {
  await using api = testApi({ config: { password: { env: 'EDGEWARD_TEST_NOT_SET' } } });
  await assert.rejects(
    async () => api.app.ready(),
    error => hasCode(error, 'EW_CONFIG_FILE'),
  );
});
