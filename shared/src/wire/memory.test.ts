/** Small blocks share memory: none may see, or change, what another one holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field, RecordBatch } from '../contracts.js';
import { getOrMake } from '../maps.js';
import fc from '../testing/properties.js';
import { type BlockId, decodeBlock, describe, encodeBlock, readHeader } from './block.js';
import { memoryFor } from './memory.js';
import { anyBatch } from './testing/arbitrary.js';
import { bits } from './testing/bits.js';
import { sample, sampleId, steadyRows } from './testing/samples.js';
import { forged, sealed, unsealed } from './testing/sealed.js';

const sharedBytes = 16 * 1024;

const roundTrip = (batch: RecordBatch, id: BlockId = sampleId) =>
  decodeBlock(encodeBlock(id, batch), () => describe(batch.schema, batch.model));

function columnsOf(batch: RecordBatch): ArrayBufferView[] {
  const { time, device, row, values, quality, score, anomaly, missing = [], fieldQuality = [] } = batch;
  return [time, device, row, quality, score, anomaly, ...values, ...missing, ...fieldQuality].filter(column =>
    ArrayBuffer.isView(column),
  );
}

/** No two lie over each other. */
function assertApart(columns: readonly ArrayBufferView[]): void {
  const byBuffer = new Map<ArrayBufferLike, ArrayBufferView[]>();
  for (const column of columns) getOrMake(byBuffer, column.buffer, () => []).push(column);
  for (const group of byBuffer.values()) {
    group.sort((a, b) => a.byteOffset - b.byteOffset);
    for (const [i, { byteOffset }] of group.entries()) {
      const before = group[i - 1];
      if (before) assert.ok(before.byteOffset + before.byteLength <= byteOffset);
    }
  }
}

test('whatever is decoded after it, a batch keeps what it holds, and shares no byte with another', () => {
  fc.assert(
    fc.property(fc.array(anyBatch, { minLength: 2, maxLength: 12 }), fc.boolean(), (batches, spoilt) => {
      const back = batches.map(batch => {
        const made = roundTrip(batch).batch;
        if (spoilt) spoil(batch);
        return made;
      });
      assert.deepEqual(back.map(bits), batches.map(bits));
      assertApart(back.flatMap(columnsOf));
    }),
    { numRuns: 200 },
  );
});

/** A block that is refused after it was given memory, with its last column missing. */
function spoil(batch: RecordBatch): void {
  const bytes = unsealed(encodeBlock(sampleId, batch));
  const cut = sealed(bytes.subarray(0, bytes.length - 1));
  assert.throws(() => decodeBlock(cut, () => describe(batch.schema, batch.model)), {
    code: 'EW_BLOCK_CORRUPT',
  });
}

const float = (f: number): Field => ({ name: `f${f}`, kind: 'float' });
const floats = (length: number) => Array.from({ length }, (_, f) => float(f));

test('what is left of the shared memory is used to its end, and no further', () => {
  // Rows, times, two narrow columns: 8 × (2 + 1 + 1 + fields) bytes.
  const take = (fields: number) => {
    const memory = memoryFor(1, floats(fields));
    const columns = [memory.float64s(1), memory.float64s(1), memory.uint16s(1), memory.uint16s(1)];
    for (let f = 0; f < fields; f++) columns.push(memory.float64s(1));
    assertApart(columns);
    return { memory, buffer: columns[0]!.buffer };
  };
  const eighth = sharedBytes / 8 / 8 - 4;
  const { buffer: before } = take(0);
  let { buffer } = take(eighth);
  while (buffer === before) ({ buffer } = take(eighth));
  // The one that made it begin anew was the first of eight.
  for (let i = 2; i < 8; i++) assert.equal(take(eighth).buffer, buffer);
  const last = take(eighth);
  assert.equal(last.buffer, buffer);
  assert.equal(last.memory.left, 0);
  const own = last.memory.uint8s(9);
  assert.notEqual(own.buffer, buffer, 'what a block may have besides has memory of its own then');
  assert.notEqual(take(0).buffer, buffer);
});

test('columns begin at multiples of eight bytes, however many rows there are', () => {
  const fields: Field[] = [float(0), { name: 'on', kind: 'bool' }, { name: 'n', kind: 'int' }];
  for (let n = 1; n < 30; n++) {
    const made: RecordBatch = {
      schema: { type: 'probe', fields, devices: ['a'] },
      time: Float64Array.from({ length: n }, (_, i) => i),
      device: new Uint16Array(n),
      row: Float64Array.from({ length: n }, (_, i) => i + 1),
      values: [new Float64Array(n).fill(0.5), new Uint8Array(n).fill(1), new BigInt64Array(n).fill(-3n)],
      missing: [undefined, new Uint8Array((n + 7) >> 3).fill(255), undefined],
      quality: new Uint16Array(n).fill(7),
      score: new Float32Array(n).fill(0.25),
      anomaly: new Uint8Array(n).fill(1),
    };
    const { batch: back } = roundTrip(made);
    assert.deepEqual(bits(back), bits(made));
    for (const { byteOffset } of columnsOf(back)) assert.equal(byteOffset % 8, 0);
    assertApart(columnsOf(back));
  }
});

test('one small batch holds on to no more than the shared memory, a large one to what is its own', () => {
  const small = new Set(columnsOf(roundTrip(steadyRows(2)).batch).map(({ buffer }) => buffer));
  assert.equal(small.size, 1);
  assert.equal([...small][0]!.byteLength, sharedBytes);
  const large = roundTrip(steadyRows(200)).batch;
  const own = new Set(columnsOf(large).map(({ buffer }) => buffer));
  assert.equal(own.size, 1);
  assert.equal([...own][0]!.byteLength, 400 * (2 + 2 + 4 * 8));
});

test('epochs that differ in anything are told apart, and more of them than are remembered', () => {
  const epochOf = (counter: string, n: number) => `${counter}-${n.toString(16).padStart(16, '0')}`;
  const epochs = ['1', '01', '2', '000000001'].flatMap(counter => [
    epochOf(counter, 5),
    epochOf(counter, 2 ** 31 + 5),
    `${counter}-0000000100000004`,
    `${counter}-8000000080000005`,
    `${counter}-ffffffffffffffff`,
  ]);
  for (let n = 0; n < 5000; n++) epochs.push(epochOf('000000003', n));
  for (const pass of [1, 2])
    for (const epoch of epochs) {
      const bytes = encodeBlock({ ...sampleId, epoch, oldestEpoch: epoch }, sample());
      assert.equal(readHeader(bytes).epoch, epoch, `pass ${pass}`);
    }
});

test('an epoch that is none is refused however often it comes', () => {
  const made = forged(out => {
    out.put(1, 8);
    out.put(0b001, 3);
    out.put(1, 4);
    out.count(10);
    for (let i = 0; i < 99; i++) out.put(0, 32);
  });
  for (let i = 0; i < 3; i++) assert.throws(() => readHeader(made), /its epoch is none/);
});
