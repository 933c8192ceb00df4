import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, murmur2 } from './partitioner.js';

// From Kafka's own UtilsTest.testMurmur2.
const known = {
  '21': -973932308,
  foobar: -790332482,
  'a-little-bit-long-string': -985981536,
  'a-little-bit-longer-string': -1486304829,
  lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
  abc: 479470107,
} as const;

test('hashes are those of the Java client', () => {
  for (const [text, hash] of Object.entries(known)) assert.equal(murmur2(Buffer.from(text)), hash, text);
  assert.equal(keyOf('21').hash, -973932308 & 0x7fffffff);
});
