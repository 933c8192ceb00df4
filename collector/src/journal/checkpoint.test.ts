import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Checkpoint } from './checkpoint.js';

test('those that changed first are due first, by blocks and by bytes, and the rest tells how far all is saved', () => {
  const checkpoint = new Checkpoint();
  checkpoint.note(['a'], 1, 10);
  checkpoint.note(['b', 'a'], 5, 10);
  assert.deepEqual(checkpoint.due(60_000), []);
  assert.deepEqual(checkpoint.due(60_001), ['a']);
  assert.equal(checkpoint.position(70_000), 0);
  const restore = checkpoint.take(['a']);
  assert.equal(checkpoint.position(70_000), 4);
  checkpoint.note(['a'], 9, 70_000_000);
  assert.deepEqual(checkpoint.due(10), ['b', 'a'], 'these are many bytes to read again');
  restore();
  assert.deepEqual(checkpoint.all(), ['a', 'b'], 'what failed to be written waits again, from where it did');
  assert.equal(checkpoint.position(70_000), 0);
  checkpoint.take(checkpoint.all());
  assert.equal(checkpoint.position(70_000), 70_000);
});
