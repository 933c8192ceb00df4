import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillIn, matchTopic, overlap, parsePattern, type TopicPattern } from './topic-pattern.js';

function pattern(text: string): TopicPattern {
  const parsed = parsePattern(text);
  assert.ok(typeof parsed !== 'string', `${text}: ${String(parsed)}`);
  return parsed;
}

const names = (text: string, topic: string) => {
  const found = matchTopic(pattern(text), topic);
  return found && Object.fromEntries(found);
};

test('named levels are wildcards to the broker and names to us', () => {
  assert.equal(pattern('plant/{line}/+/{field}/#').filter, 'plant/+/+/+/#');
  assert.deepEqual(names('plant/{line}/+/{field}/#', 'plant/a/b/c'), { line: 'a', field: 'c' });
  assert.deepEqual(names('plant/{line}/+/{field}/#', 'plant/a/b/c/d/e'), { line: 'a', field: 'c' });
  assert.equal(names('plant/{line}/+/{field}/#', 'plant/a/b'), undefined);
  assert.equal(names('plant/{line}', 'Plant/a'), undefined);
  assert.deepEqual(names('#', 'a/b'), {});
  assert.deepEqual(names('/{x}', '/a'), { x: 'a' });
  assert.deepEqual(names('{x}/b', '/b'), { x: '' });
});

test('a wildcard at the start leaves out the topics of the broker itself [MQTT-4.7.2-1]', () => {
  for (const text of ['#', '+/load', '{a}/load']) assert.equal(names(text, '$SYS/load'), undefined);
  assert.deepEqual(names('$SYS/{what}', '$SYS/load'), { what: 'load' });
});

test('filters that have a topic in common are found', () => {
  const together: [string, string][] = [
    ['a/{x}', 'a/b'],
    ['a/#', 'a'],
    ['a/#', 'a/b/c'],
    ['{x}/b', 'a/{y}'],
    ['#', '{a}/{b}'],
    ['a/+/c/#', 'a/b/#'],
  ];
  const apart: [string, string][] = [
    ['a/{x}', 'a/b/c'],
    ['a/b', 'a/c'],
    ['a/#', 'b/#'],
    ['a/{x}/temp', 'a/{x}/speed'],
    ['a/b/#', 'a'],
  ];
  for (const [one, other] of together) {
    assert.ok(overlap(pattern(one), pattern(other)), `${one} ${other}`);
    assert.ok(overlap(pattern(other), pattern(one)), `${other} ${one}`);
  }
  for (const [one, other] of apart) {
    assert.ok(!overlap(pattern(one), pattern(other)), `${one} ${other}`);
    assert.ok(!overlap(pattern(other), pattern(one)), `${other} ${one}`);
  }
});

test('a template takes the names of the topic', () => {
  assert.equal(
    fillIn(
      '{a}-{b}.x',
      new Map([
        ['a', '1'],
        ['b', '$&'],
      ]),
    ),
    '1-$&.x',
  );
});
