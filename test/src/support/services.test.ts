import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noService, startKafka } from './services.js';

test('a server is started, killed, and back with its data', {
  skip: noService('kafka'),
  timeout: 120_000,
}, async () => {
  const { service, bootstrap } = await startKafka();
  await using _ = service;
  const topics = (...args: string[]) =>
    service.run('tool', 'org.apache.kafka.tools.TopicCommand', '--bootstrap-server', bootstrap, ...args);
  await topics('--create', '--topic', 'kept', '--partitions', '1');
  await service.kill();
  await assert.rejects(service.run('status'), /state=stopped/);
  await service.start();
  assert.match(await topics('--list'), /kept/);
});
