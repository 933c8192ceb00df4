/** What the documents promise is what the code has. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { agentConfig } from '@edgeward/agent/config';
import { collectorConfig } from '@edgeward/collector/config';
import { parse } from 'yaml';
import { cli, root } from './support/root.js';

function node(...args: string[]) {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
}

test('deploy/reference is what npm run generate would write', () => {
  const { status, stdout, stderr } = node('shared/dist/reference/generate.js', '--check');
  assert.equal(status, 0, `run npm run generate\n${stdout}${stderr}`);
});

const examples = ['deploy/examples', 'deploy/reference'].flatMap(folder =>
  readdirSync(path.join(root, folder))
    .filter(name => name.endsWith('.yaml'))
    .map(name => path.join(folder, name)),
);

for (const file of examples) {
  test(`${file} passes edgeward check`, () => {
    const { status, stdout, stderr } = node(cli, 'check', '-c', file, '--elsewhere');
    assert.equal(status, 0, stdout + stderr);
  });
}

test('the rules of deploy/rules.md are such', () => {
  const text = readFileSync(path.join(root, 'deploy', 'rules.md'), 'utf8');
  const { rules } = parse(/(?<=```yaml\n)[^`]+/.exec(text)![0]) as { rules: unknown };
  assert.ok(agentConfig.shape.rules.parse(rules).length >= 7);
});

test('the assets of deploy/topology.md are such', () => {
  const text = readFileSync(path.join(root, 'deploy', 'topology.md'), 'utf8');
  const { topology } = collectorConfig.parse(parse(/(?<=```yaml\n)[^`]+/.exec(text)![0]));
  assert.equal(topology.assets.length, 4);
});

test('every relative link in the documents leads somewhere', () => {
  const documents = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    name => name.endsWith('.md') && !/node_modules|dist[\\/]/.test(name),
  );
  assert.ok(documents.length >= 5);
  for (const document of documents) {
    const text = readFileSync(path.join(root, document), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
      const found = path.resolve(root, path.dirname(document), target!);
      assert.ok(existsSync(found), `${document} links to ${target}`);
    }
  }
});
