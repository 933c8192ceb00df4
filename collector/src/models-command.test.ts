/** `edgeward models` against an API as a collector has it. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { CommandValues } from '@edgeward/shared/command';
import { folderFor } from './journal/testing/blocks.js';
import { command } from './models-command.js';
import { testApi } from './testing/api.js';

const never = new AbortController().signal;

async function place(t: TestContext) {
  const folder = await folderFor(t);
  const secret = path.join(folder, 'password');
  await writeFile(secret, 'plant-password\n');
  const api = testApi({ config: { password: { file: secret } } });
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => api.app.close());
  const { port } = api.app.server.address() as AddressInfo;
  const config = path.join(folder, 'collector.yaml');
  await writeFile(config, `api: { port: ${port}, password: { file: ./password } }\n`);
  const run = async (values: CommandValues) => {
    const stdout = new PassThrough();
    const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: never, deadline: never };
    assert.equal(await command.run({ config, ...values }, io), 0);
    stdout.end();
    return text(stdout);
  };
  return { api, folder, run, secret, port };
}

test('the tables tell which models there are, who should run which, and what came of it', async t => {
  const { run } = await place(t);
  const out = await run({});
  assert.match(out, /^model +name +bytes +added\npump=aaaaaaaaaaaa +pump +1000 /);
  assert.match(out, /\npump +all +aaaaaaaaaaaa .* bbbbbbbbbbbb\n/);
  assert.match(out, /\ngw-1 +pump +aaaaaaaaaaaa +aaaaaaaaaaaa +active\n/);
  assert.match(
    out,
    /\ngw-2 +pump +bbbbbbbbbbbb +aaaaaaaaaaaa +refused: EW_MODEL_FIELDS: A model needs fields/,
  );
  assert.match(
    out,
    /gw-3 pump aaaaaaaaaaaa in the shadow: 200 rows, 0\.5 h of devices, 95\.0 % judged alike\n/,
  );
  assert.match(out, / {2}alarms: 1 of it, 2 of the active model; 1 of these raised by both\n/);
  assert.match(out, / {2}only the active one: pump-1 from 1970-01-01 00:00, 4 rows flow, pressure\n$/);
  assert.equal(JSON.parse(await run({ json: true })).gateways.length, 3);
});

test('it adds, assigns and rolls back, and says what was done', async t => {
  const { api, folder, run } = await place(t);
  const bundle = path.join(folder, 'bundle');
  await mkdir(bundle);
  for (const name of ['card.json', 'golden.json', 'model.onnx'])
    await writeFile(path.join(bundle, name), name);
  const assign = ['pump=aaaaaaaaaaaa'];
  const out = await run({ add: [bundle], assign, rollback: ['pump'], gateway: 'gw-1', shadow: true });
  assert.deepEqual(api.views.models.asked, [
    'add card.json golden.json model.onnx',
    'assign pump aaaaaaaaaaaa gw-1 shadow',
    'rollback pump gw-1',
  ]);
  assert.match(
    out,
    /added as pump=aaaaaaaaaaaa.*\npump: aaaaaaaaaaaa is assigned to gw-1\.\npump: rolled back to what/,
  );
});

test('it has a model trained and waits for it; a refusal is an error that says why', async t => {
  const { api, run } = await place(t);
  const out = await run({ train: ['pump'], hours: '48', method: 'forest', shadow: true });
  assert.deepEqual(api.views.models.asked, ['train pump 48 forest assign']);
  const said = 'pump: aaaaaaaaaaaa was trained, from 5000 rows, and gateways try it in the shadow.';
  assert.ok(out.startsWith(`${said}\n`), out);
  assert.ok(out.endsWith(`\ntraining: 1970-01-01 00:00 ${said}\n`), out);
  const text = 'The training data cannot be used. 3 usable rows of pump.';
  api.views.models.outcome = { state: 'refused', code: 'EW_TRAIN_INPUT', text };
  await assert.rejects(run({ train: ['pump'] }), { code: 'EW_TRAIN_INPUT', message: text });
  assert.match(
    await run({}),
    /\ntraining: 1970-01-01 00:00 pump: refused: The training data cannot be used\. 3 us/,
  );
  for (const [values, words] of [
    [{ hours: '3' }, /--hours is for --train/],
    [{ 'accept-change': true }, /--accept-change is for --train/],
    [{ train: ['pump'], hours: '-1' }, /--hours -1: give a number above 0/],
    [{ train: ['pump'], gateway: 'gw-1' }, /--gateway is not for --train/],
  ] as const)
    await assert.rejects(run(values), { code: 'EW_USAGE', message: words });
  await assert.rejects(run({ train: ['pump'], method: 'magic' }), {
    code: 'EW_HTTP_REQUEST',
    message: /method/,
  });
});

test('what cannot be done is said with what to do', async t => {
  const { folder, run, secret } = await place(t);
  await assert.rejects(run({ assign: ['pump'] }), {
    code: 'EW_USAGE',
    message: /write it like --assign press=/,
  });
  await assert.rejects(run({ assign: ['pump=000000000000'] }), {
    code: 'EW_HTTP_NOT_FOUND',
    message: /no model 000000000000 for pump\. There are: aaaaaaaaaaaa\./,
  });
  await assert.rejects(run({ rollback: ['press'] }), {
    code: 'EW_HTTP_NOT_FOUND',
    message: /Nothing is assigned for press/,
  });
  await assert.rejects(run({ add: [path.join(folder, 'none')] }), { code: 'EW_MODEL_BUNDLE' });
  const half = path.join(folder, 'half');
  await mkdir(half);
  await writeFile(path.join(half, 'model.onnx'), 'x');
  await assert.rejects(run({ add: [half] }), { code: 'EW_MODEL_BUNDLE', message: /card\.json is missing/ });
  await writeFile(path.join(half, 'Readme.txt'), 'x');
  await assert.rejects(run({ add: [half] }), { code: 'EW_MODEL_BUNDLE', message: /Readme\.txt is no file/ });
  await writeFile(secret, 'another');
  await assert.rejects(run({}), { code: 'EW_HTTP_PASSWORD' });
});
