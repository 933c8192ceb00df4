import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@edgeward/shared/config';
import { errorOf, testApi } from '../testing/api.js';
import * as schemas from './schemas.js';

test('dead letters are replayed, all or some, and what stays is told with its reason', async () => {
  await using api = testApi();
  const replay = async (body: unknown) => {
    const answer = await api.post('/api/sinks/lake/dead-letters/replay', body);
    assert.equal(answer.statusCode, 200, answer.body);
    return schemas.sinkReplayView.parse(answer.json());
  };
  assert.deepEqual(await replay({ ids: ['letter-1'] }), { stored: 1, refused: 0, reasons: [] });
  const { reasons, ...rest } = await replay({});
  assert.deepEqual(rest, { stored: 1, refused: 1 });
  assert.match(reasons[0]!.reason, /field type conflict/);
  const letters = schemas.sinkLettersView.parse((await api.get('/api/sinks/lake/dead-letters')).json());
  assert.deepEqual([letters.count, letters.letters.length], [1, 1]);
  const bare = await api.app.inject({
    method: 'POST',
    url: '/api/sinks/lake/dead-letters/replay',
    headers: { host: 'localhost' },
  });
  assert.equal(bare.statusCode, 200, bare.body);
  assert.deepEqual(api.views.sinks.asked, ['replay lake letter-1', 'replay lake all', 'replay lake all']);
  const wrong = errorOf(await api.post('/api/sinks/lake/dead-letters/replay', { ids: [] }), 400);
  assert.equal(wrong.field, 'ids');
});

test('a sink is paused and resumed, and its answer says when receipts wait', async () => {
  await using api = testApi();
  const act = async (path: string) => schemas.sinkPauseView.parse((await api.post(path, {})).json());
  assert.deepEqual(await act('/api/sinks/kafka/pause'), {
    name: 'kafka',
    paused: true,
    note: 'Gateways get no receipts.',
  });
  assert.equal((await act('/api/sinks/lake/pause')).note, null);
  assert.deepEqual(await act('/api/sinks/kafka/resume'), { name: 'kafka', paused: false, note: null });
});

test('of a sink that there is not, all routes name those there are', async () => {
  await using api = testApi();
  for (const answer of [
    await api.get('/api/sinks/none/dead-letters'),
    await api.post('/api/sinks/none/dead-letters/replay', {}),
    await api.post('/api/sinks/none/pause', {}),
    await api.post('/api/sinks/none/resume', {}),
  ]) {
    const { code, message, remedy } = errorOf(answer, 404);
    assert.deepEqual([code, message], ['EW_HTTP_NOT_FOUND', 'There is no sink named none.']);
    assert.equal(remedy, 'There are: kafka, history, lake.');
  }
  errorOf(await api.get('/api/sinks/a%20b/dead-letters'), 400);
});

test('reading the configuration again tells what changed, or where the file is wrong', async () => {
  await using api = testApi();
  const done = schemas.reloadView.parse((await api.post('/api/sinks/reload', {})).json());
  assert.deepEqual([done.added, done.needsRestart], [['lake'], ['broker.port']]);
  const issue = { file: 'c.yaml', line: 3, column: 5, field: 'sinks[0].url', value: '"x"' };
  api.views.sinks.reloadFails = new ConfigError([
    { ...issue, problem: 'is no address', remedy: 'write one' },
  ]);
  const { code, message } = errorOf(await api.post('/api/sinks/reload', {}), 422);
  assert.equal(code, 'EW_CONFIG_INVALID');
  assert.match(message, /c\.yaml:3:5: sinks\[0\]\.url: is no address \(value: "x"\)\. Remedy: write one/);
});
