import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@edgeward/shared/crc32c';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import type { Bytes } from '../bytes.js';
import { compressorOf, decompress } from './compression.js';
import { BatchWriter, encodeHeaders, readBatches } from './record-batch.js';

const identity = { producerId: 2n ** 40n + 7n, producerEpoch: 300 };

for (const compression of ['none', 'gzip'] as const)
  test(`what is written is read again: ${compression}`, async () => {
    const rng = seededRng(testSeed(`record batch ${compression}`));
    const batch = new BatchWriter(1);
    const records = Array.from({ length: 300 }, (_, i) => ({
      key: Buffer.from(`key-${i}`),
      value: i % 7 === 0 ? null : Buffer.alloc(Math.floor(rng() * 400), i),
      headers: i % 2 === 0 ? { a: 'x', ü: 'ß'.repeat(100) } : {},
      timestamp: Math.floor(1.7e12 + (rng() - 0.5) * 1e12),
    }));
    for (const { key, value, headers, timestamp } of records)
      batch.add(key, value, encodeHeaders(headers), timestamp);
    const sealed = compressorOf(compression)(batch, identity, 12_345);
    batch.clear();
    const bytes = await sealed;
    assert.equal(bytes.readUInt32BE(17), crc32c(bytes.subarray(21)));
    const [stored, ...others] = readBatches(Buffer.concat([bytes, bytes.subarray(0, 70)]), decompress);
    assert.equal(others.length, 0, 'what was cut short is left out');
    assert.deepEqual(
      stored?.records(),
      records.map((record, offset) => ({ offset, ...record })),
    );
    assert.equal(stored?.lastOffset, 299);
    assert.equal(stored?.producerId, identity.producerId);
    assert.equal(stored?.transactional, true);
    assert.equal(stored?.marker, undefined);
  });

test('a value that is written on the spot makes the same record, whatever its size', () => {
  const [ready, spot] = [new BatchWriter(), new BatchWriter(1)];
  const headers = encodeHeaders({ gateway: 'gw-1' });
  for (const [i, size] of [0, 1, 63, 64, 127, 128, 4000, 8150, 8190, 8192, 70_000].entries()) {
    const [key, value, time] = [Buffer.from(`k${size}`), Buffer.alloc(size, i), 1e12 + size];
    const rows = { write: (_: number, out: Bytes) => out.bytes(value) };
    ready.add(key, value, headers, time);
    spot.addRow(key, rows, i, headers, time);
    // One that is taken out again leaves nothing behind.
    spot.addRow(key, rows, i, headers, time);
    spot.undo();
    assert.ok(spot.records.equals(ready.records), `${size} bytes`);
  }
  assert.ok(spot.seal(identity, 5).equals(ready.seal(identity, 5)));
});

test('headers may be put together from two parts', () => {
  const parts = [encodeHeaders({ a: '1' }, { more: 1 }), encodeHeaders({ b: '2' }, { counted: false })];
  assert.ok(Buffer.concat(parts).equals(encodeHeaders({ a: '1', b: '2' })));
});
