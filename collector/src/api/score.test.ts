import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOf, testApi } from '../testing/api.js';

const one = { sensorId: 'sensor-1', timestamp: 1_690_000_000_000, value: 50 };
const many = { device: 'pump-1', timestamp: 1_690_000_000_000, values: { temperature: 41, pressure: 130 } };

test('one reading: the answer carries sensorId and the channel is called value', async () => {
  await using api = testApi();
  const response = await api.post('/score', one);
  assert.equal(response.statusCode, 200, response.body);
  assert.deepEqual(response.json(), {
    sensorId: 'sensor-1',
    timestamp: 1_690_000_000_000,
    anomaly: false,
    score: 0.4,
    model: null,
    reasons: [],
    channels: [],
  });
  assert.deepEqual(api.views.scored, [
    { device: 'sensor-1', timeMs: 1_690_000_000_000, values: { value: 50 } },
  ]);
});

test('several channels: the answer carries device, reasons and channels; the type is passed on', async () => {
  await using api = testApi();
  const body = (await api.post('/score', { ...many, type: 'pump' })).json();
  assert.equal(body.device, 'pump-1');
  assert.equal(body.anomaly, true);
  assert.deepEqual(body.reasons, ['pressure 130 > 100']);
  assert.equal(body.channels[0].field, 'pressure');
  assert.equal(api.views.scored[0]?.type, 'pump');
});

test('a list is answered with a list in the same order, up to 1,000', async () => {
  await using api = testApi();
  const batch = Array.from({ length: 1000 }, (_, i) => ({ ...one, timestamp: i }));
  const answers = (await api.post('/score', batch)).json();
  assert.equal(answers.length, 1000);
  assert.equal(answers[999].timestamp, 999);
  const error = errorOf(await api.post('/score', [...batch, one]), 400);
  assert.match(error.remedy ?? '', /at most 1000/);
});

test('what is wrong is named: field, value, remedy', async () => {
  await using api = testApi();
  const cases: [body: unknown, field: string | undefined, value: unknown][] = [
    [{ ...one, value: 'hot' }, 'value', 'hot'],
    [{ ...one, timestamp: -1 }, 'timestamp', -1],
    [{ sensorId: 'sensor-1', timestamp: 1 }, 'value', undefined],
    [{ ...one, sensor: 1 }, 'sensor', 1],
    [{ ...one, sensorId: 'a/b' }, 'sensorId', 'a/b'],
    [[one, { ...many, values: { pressure: null } }], '[1].values.pressure', null],
    [{ ...many, values: {} }, 'values', {}],
    [[many, { ...many, values: {} }], '[1].values', {}],
    [[], undefined, []],
    ['"text"', undefined, 'text'],
  ];
  for (const [body, field, value] of cases) {
    const error = errorOf(await api.post('/score', body), 400);
    assert.equal(error.code, 'EW_HTTP_REQUEST');
    assert.equal(error.field, field, JSON.stringify(body));
    assert.deepEqual(error.value, value, JSON.stringify(body));
    assert.ok(error.remedy, JSON.stringify(body));
  }
});

test('whatever is wrong, both forms are shown, each as an example that is accepted', async () => {
  await using api = testApi();
  for (const body of [
    { sensorId: 's', timestamp: 1, values: { a: 1 } },
    [{ device: 's', timestamp: 1, value: 1 }],
    {},
    '{"sensorId":',
  ]) {
    const { remedy } = errorOf(await api.post('/score', body), 400);
    const examples = [...(remedy ?? '').matchAll(/\{"[^{}]*(?:\{[^{}]*\})?[^{}]*\}/g)].map(([text]) => text);
    assert.equal(examples.length, 2, remedy);
    for (const example of examples)
      assert.equal((await api.post('/score', example)).statusCode, 200, example);
  }
});

test('bodies that are no JSON, too large or of another kind are refused', async () => {
  await using api = testApi();
  errorOf(await api.post('/score', '{"sensorId":'), 400);
  errorOf(await api.post('/score', '{"__proto__":{"x":1},"timestamp":1,"value":1}'), 400);
  errorOf(await api.post('/score', `"${'x'.repeat(1024 * 1024)}"`), 413);
  errorOf(await api.post('/score', 'value=1', { 'content-type': 'text/plain' }), 415);
});
