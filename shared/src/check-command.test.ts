import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { runCheck } from './check-command.js';
import type { ConfigModule } from './config/modules.js';
import { pathOption, secret, unplacedIssue } from './config.js';
import { hasCode } from './errors.js';

const agent = z.strictObject({
  gateway: z.string(),
  sources: z.array(z.string()),
  rules: z.record(z.string(), z.string()).default({}),
});
const collector = z.strictObject({
  listen: z.int().default(1883),
  out: pathOption().default('./out'),
  recording: pathOption('file').optional(),
  bundles: z.array(pathOption('folder')).optional(),
  users: z.record(z.string(), secret()).default({}),
});

const schemas: Readonly<Record<string, ConfigModule>> = {
  agent: {
    schema: agent,
    checkConfig: async config =>
      Object.entries(agent.parse(config).rules).map(([name, rule]) =>
        unplacedIssue(`rules["${name}"]`, 'not a rule', 'write one', rule),
      ),
  },
  collector: { schema: collector },
};

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-check-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function run(text: string, as?: string, json = false, elsewhere = false) {
  const file = join(folder, 'plant.yaml');
  await writeFile(file, text);
  const stdout = new PassThrough({ encoding: 'utf8' });
  const options = { config: file, as, json, elsewhere };
  const code = await runCheck(options, { stdout }, async name => schemas[name]!);
  return {
    code,
    out: String(stdout.read() ?? '')
      .replaceAll(file, 'FILE')
      .replaceAll(folder, 'DIR'),
  };
}

test('a file with a gateway is an agent, any other a collector', async () => {
  assert.deepEqual(await run('gateway: pi\nsources: [a, b]\n'), {
    code: 0,
    out: 'FILE: ok (agent, 2 sources)\n',
  });
  assert.deepEqual(await run('gateway: pi\nsources: [a]\n'), {
    code: 0,
    out: 'FILE: ok (agent, 1 source)\n',
  });
  assert.deepEqual(await run('listen: 1884\n'), { code: 0, out: 'FILE: ok (collector)\n' });
});

test('a misspelt key does not make an agent a collector, nor the reverse', async () => {
  const kinds: readonly (readonly [string, string])[] = [
    ['gatway: pi\n', 'agent'],
    ['gatway: pi\nsources: [a]\n', 'agent'],
    ['sources: [a]\n', 'agent'],
    ['uplink: {}\n', 'agent'],
    ['outbox: {}\n', 'agent'],
    ['rules: {}\n', 'agent'],
    ['dataDir: ./x\nsourcs: [a]\n', 'agent'],
    ['gateway: pi\nbroker: {}\napi: {}\n', 'agent'],
    ['brokr: {}\n', 'collector'],
    ['broker: {}\napi: {}\nrules: []\n', 'collector'],
    ['sink: []\n', 'collector'],
    ['dataDir: ./x\nlog: {}\n', 'collector'],
    ['- a\n', 'collector'],
  ];
  for (const [text, kind] of kinds) {
    const { out } = await run(text, undefined, true);
    assert.equal((JSON.parse(out) as { kind: string }).kind, kind, text);
  }
  const { out } = await run('gatway: pi\nsources: [a]\n');
  assert.match(out, /FILE:1:1: gatway: unknown key.*Did you mean "gateway"\?/);
});

test('--as decides', async () => {
  const { code, out } = await run('listen: 1884\n', 'agent');
  assert.equal(code, 2);
  assert.match(out, /FILE:1:1: gateway: required/);
  await assert.rejects(run('listen: 1\n', 'broker'), error => hasCode(error, 'EW_USAGE'));
});

test('deeper checks are placed at their field', async () => {
  const { code, out } = await run('gateway: pi\nsources: [a]\nrules:\n  too hot: temperature >\n');
  assert.equal(code, 2);
  assert.equal(out, 'FILE:4:12: rules["too hot"]: not a rule (value: "temperature >"). Remedy: write one\n');
});

test('--json carries everything', async () => {
  const { code, out } = await run('gateway: pi\nsource: [a]\n', undefined, true);
  assert.equal(code, 2);
  const found = JSON.parse(out) as { kind: string; ok: boolean; issues: { line: number; field: string }[] };
  assert.deepEqual([found.kind, found.ok], ['agent', false]);
  assert.deepEqual(
    found.issues.map(({ line, field }) => `${line} ${field}`),
    ['1 sources', '2 source'],
  );
  const good = JSON.parse((await run('listen: 1\n', undefined, true)).out) as object;
  assert.deepEqual(good, { file: 'FILE', kind: 'collector', ok: true, issues: [] });
});

test('what the file names and this machine does not have is an issue at its line', async () => {
  await writeFile(join(folder, 'there.csv'), 'a,b\n');
  await writeFile(join(folder, 'empty'), '');
  await mkdir(join(folder, 'bundle'), { recursive: true });
  const text = (recording: string, bundles: string, users: string) =>
    `listen: 1\nrecording: ${recording}\nbundles: [${bundles}]\nusers:\n${users}`;
  const variable = 'EDGEWARD_CHECK_TEST_UNSET';
  const lacking = text(
    './no/rec.csv',
    './bundle, gone, there.csv',
    `  a: { file: nothing }\n  b: { env: ${variable} }\n  c: { file: bundle }\n  d: { file: empty }\n  e: { env: hunter2 }\n`,
  );
  const { code, out } = await run(lacking);
  assert.equal(code, 2);
  const lines = out.trimEnd().split('\n');
  const start = (line: string) => line.replace(/\. Remedy: .*/, '');
  assert.deepEqual(lines.map(start), [
    'FILE:2:12: recording: cannot be read here: DIR/no/rec.csv does not exist (value: "./no/rec.csv")',
    'FILE:3:21: bundles[1]: cannot be read here: DIR/gone does not exist (value: "gone")',
    'FILE:3:27: bundles[2]: cannot be read here: DIR/there.csv is no folder (value: "there.csv")',
    'FILE:5:14: users.a.file: cannot be read here: DIR/nothing does not exist (value: "nothing")',
    `FILE:6:13: users.b.env: cannot be read here: this environment variable is not set (value: "${variable}")`,
    'FILE:7:14: users.c.file: cannot be read here: DIR/bundle is a folder (value: "bundle")',
    'FILE:8:14: users.d.file: cannot be read here: DIR/empty is empty (value: "empty")',
    'FILE:9:13: users.e.env: cannot be read here: this environment variable is not set (value: (hidden))',
  ]);
  for (const line of lines) assert.match(line, /Remedy: .+--elsewhere$/);
  assert.deepEqual(await run(lacking, undefined, false, true), {
    code: 0,
    out: 'FILE: ok (collector, 3 bundles)\n',
  });
  const fine = text('there.csv', 'bundle', `  a: { file: there.csv }\n  b: { env: PATH }\n`);
  assert.deepEqual(await run(fine), { code: 0, out: 'FILE: ok (collector, 1 bundle)\n' });
  const json = JSON.parse((await run(lacking, undefined, true)).out) as { ok: boolean; issues: object[] };
  assert.equal(json.ok, false);
  assert.deepEqual(Object.keys(json.issues[0] ?? {}).sort(), [
    'column',
    'field',
    'file',
    'line',
    'problem',
    'remedy',
    'value',
  ]);
});
