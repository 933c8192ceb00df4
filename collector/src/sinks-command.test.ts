/** `edgeward sinks` and `edgeward replay` against an API as a collector has it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { Command, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { folderFor } from './journal/testing/blocks.js';
import { command as replay } from './replay-command.js';
import { command as sinks } from './sinks-command.js';
import { testApi } from './testing/api.js';

const never = new AbortController().signal;

/** A listening API with a password, and the configuration of its collector. */
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
  return { api, config, secret };
}

async function run(command: Command, values: CommandValues): Promise<{ code: number; out: string }> {
  const stdout = new PassThrough();
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), stop: never, deadline: never };
  const code = await command.run(values, io);
  stdout.end();
  return { code, out: await text(stdout) };
}

test('the table tells state, lag, what fails and when it is tried again', async t => {
  const { config } = await place(t);
  const { code, out } = await run(sinks, { config });
  assert.equal(code, 0);
  const [head, kafka, history, lake, ...remarks] = out.trimEnd().split('\n');
  assert.match(head!, /^sink +type +state +lag +behind +stored +dead letters$/);
  assert.match(kafka!, /^kafka +kafka +running +96 rows +0\.3 s +874560 rows +0$/);
  assert.match(history!, /^history +influxdb +failing +154080 rows +27 min /);
  assert.match(lake!, / 3 \(5 rows\)$/);
  assert.match(
    remarks.join('\n'),
    /^history fails: .*ECONNREFUSED 127\.0\.0\.1:8086 \(next try in 1\d s\)\nhistory never got 480 rows/,
  );
  const { sinks: listed } = JSON.parse((await run(sinks, { config, json: true })).out);
  assert.equal(listed.length, 3);
});

test('it pauses, resumes and reloads, and says what comes of it', async t => {
  const { api, config } = await place(t);
  const { out } = await run(sinks, { config, pause: ['kafka'], resume: ['history'], reload: true });
  assert.deepEqual(api.views.sinks.asked, ['reload', 'pause kafka', 'resume history']);
  assert.match(
    out,
    /lake: added\nNeeds a restart: broker\.port\nkafka is paused\. Gateways get no receipts\.\n/,
  );
  assert.match(out, /kafka is paused: gateways get no receipts until it is resumed/);
});

test('dead letters are replayed; those that stay are named, and the exit code tells', async t => {
  const { api, config } = await place(t);
  const some = await run(replay, { config, sink: 'lake', id: ['letter-1'] });
  assert.deepEqual(some, { code: 0, out: '1 stored, 0 still refused\n' });
  const all = await run(replay, { config, sink: 'lake' });
  assert.equal(all.code, 1);
  assert.match(all.out, /^1 stored, 1 still refused\n {2}letter-3: field type conflict/);
  assert.deepEqual(await run(replay, { config }), { code: 0, out: 'There are no dead letters.\n' });
  const letters = ['a', 'b'].map(id => ({
    id,
    gateway: 'gw-1',
    reason: 'unknown',
    atMs: 1,
    bytes: 1,
    rejected: false,
  }));
  api.views.deadLetters = () => ({ count: letters.length, dropped: 0, letters });
  api.views.replayDeadLetter = async id => {
    if (id === 'b') return 'version 9 is unknown';
    letters.shift();
    return null;
  };
  const blocks = await run(replay, { config });
  assert.deepEqual(blocks, { code: 1, out: '1 stored, 1 still refused\n  b: version 9 is unknown\n' });
});

test('what cannot be done is said in the words of the collector', async t => {
  const { api, config, secret } = await place(t);
  const fails = (values: CommandValues, code: string, words: RegExp) =>
    assert.rejects(
      run(sinks, { config, ...values }),
      (error: unknown) => error instanceof EdgewardError && error.code === code && words.test(error.message),
    );
  await fails(
    { pause: ['none'] },
    'EW_HTTP_NOT_FOUND',
    /no sink named none\. There are: kafka, history, lake\./,
  );
  await writeFile(secret, 'another');
  await fails({}, 'EW_HTTP_PASSWORD', /Wrong password/);
  await api.app.close();
  await fails({}, 'EW_COLLECTOR_AWAY', /ECONNREFUSED.*Start the collector, or check api\.host and api\.port/);
  await writeFile(config, 'api: { port: 0 }\n');
  await fails({}, 'EW_COLLECTOR_AWAY', /give it a fixed one/);
});
