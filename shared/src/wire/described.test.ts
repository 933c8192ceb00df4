import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '../contracts.js';
import { type Described, describe, describedToJson, parseDescribed } from './block.js';
import { sampleSchema, steadyRows } from './testing/samples.js';

const { schema } = steadyRows(1);
const json = (described: Described) => JSON.parse(JSON.stringify(describedToJson(described))) as object;

test('the id is that of the content, whatever object holds it and in whatever order', () => {
  const { fields, devices, type } = schema;
  const same: Schema = {
    devices: [...devices],
    fields: fields.map(({ name, kind, ...rest }) => ({ ...rest, kind, name })),
    type,
  };
  assert.equal(describe(same).id, describe(schema).id);
  assert.equal(describe(schema), describe(schema), 'and is worked out once');
  const others = [
    describe(schema, 'pump-3'),
    describe({ ...schema, type: 'x' }),
    describe({ ...schema, devices: [...devices].reverse() }),
    describe({ ...schema, fields: [{ ...fields[0]!, max: 151 }, fields[1]!] }),
  ];
  assert.equal(new Set([describe(schema), ...others].map(({ id }) => id)).size, 5);
});

test('what is described goes through JSON and comes back', () => {
  for (const described of [describe(schema), describe(sampleSchema, 'pump-3')])
    assert.deepEqual(parseDescribed(json(described)), described);
});

test('anything else is not taken, nor what does not hash to its id', () => {
  const good = json(describe(schema, 'pump-3'));
  for (const bad of [
    undefined,
    null,
    'x',
    [],
    {},
    { ...good, id: '0123456789abcdef' },
    { ...good, model: 'pump-4' },
    { ...good, type: '../x' },
    { ...good, devices: [] },
    { ...good, more: 1 },
    { ...good, fields: [{ name: 'x', kind: 'bytes' }] },
  ])
    assert.equal(parseDescribed(bad), undefined);
});
