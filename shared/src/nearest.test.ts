import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, editDistance, nearest } from './nearest.js';
import fc from './testing/properties.js';

test('the nearest word, if one is near', () => {
  const known = ['intervalMs', 'timeoutMs', 'host'];
  assert.equal(nearest('intervalMS', known), 'intervalMs');
  assert.equal(nearest('hsot', known), 'host');
  assert.equal(nearest('timeout', known), 'timeoutMs');
  assert.equal(nearest('colour', known), undefined);
  assert.equal(didYouMean('hots', known), ' Did you mean "host"?');
  assert.equal(didYouMean('xyz', known), '');
});

test('edit distance is a distance', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance === 0, a === b);
      assert.equal(distance, editDistance(b, a));
      assert.ok(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length));
    }),
  );
});
