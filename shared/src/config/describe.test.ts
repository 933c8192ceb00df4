import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { describeAllowed } from './describe.js';
import { fieldPath, parseFieldPath } from './issue.js';
import { configTree } from './tree.js';

test('what a schema allows, in words', () => {
  const cases: readonly (readonly [z.ZodType, string])[] = [
    [z.int().min(1).max(65535), 'whole number from 1 to 65535'],
    [z.int(), 'whole number'],
    [z.number().positive().max(1), 'number above 0, at most 1'],
    [z.number().min(2).lt(9).multipleOf(0.5), 'number at least 2, below 9, in steps of 0.5'],
    [z.enum(['a', 'b']), 'one of a, b'],
    [z.union([z.number(), z.literal('max')]), 'number, or max'],
    [z.string().min(1), 'text, not empty'],
    [z.string().max(8), 'text of 0 to 8 characters'],
    [z.boolean(), 'true or false'],
    [z.array(z.string()).min(2), 'list of text, at least 2'],
    [z.array(z.strictObject({ a: z.string() })), 'list of mappings'],
    [z.strictObject({ a: z.string(), b: z.string().optional() }), 'mapping with a'],
  ];
  for (const [schema, words] of cases) assert.equal(describeAllowed(configTree(schema)), words);
});

test('a field path can be read back', () => {
  for (const path of [
    [],
    ['a'],
    ['sources', 0, 'intervalMs'],
    ['rules', 'too hot'],
    ['x', 'a"b\\', 3],
    [0, '1'],
  ]) {
    assert.deepEqual(parseFieldPath(fieldPath(path)), path);
  }
  for (const text of ['a..b', 'a[', '[x]', 'a b', ']']) assert.equal(parseFieldPath(text), undefined, text);
});
