import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namePattern, parseTopic, topicKinds, topicOf } from './topics.js';

test('topics come back as they were made', () => {
  for (const kind of topicKinds)
    assert.deepEqual(parseTopic(topicOf('gw-1', kind)), { gateway: 'gw-1', kind });
});

test('nothing else is one of ours', () => {
  const others = [
    'edgeward/v1/gw-1',
    'edgeward/v1/gw-1/block/more',
    'edgeward/v1/gw-1/secret',
    'edgeward/v2/gw-1/block',
    'edgeward/v1//block',
    'x/edgeward/v1/gw-1/block',
    '$SYS/broker',
    '#',
    'edgeward/v1/+/#',
    'edgeward/v1/gw-1/block\n',
  ];
  for (const topic of others) assert.equal(parseTopic(topic), undefined, topic);
});

test('a name holds nothing that means something in a topic, a path or a page', () => {
  for (const name of ['a', 'gw-1', 'Pump_7.left', 'x'.repeat(64)]) assert.ok(namePattern.test(name), name);
  const wrong = ['', '.', '..', '-a', 'a/b', 'a+b', '#', 'a b', 'ä', '<b>', 'a\n', 'x'.repeat(65)];
  for (const name of wrong) assert.ok(!namePattern.test(name), JSON.stringify(name));
});
