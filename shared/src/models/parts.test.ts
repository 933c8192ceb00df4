import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleIdOf, manifestOf, manifestSchema, modelLimits, parseAnnouncement } from './manifest.js';
import { encodeAsk, encodePart, parseAsk, parsePart } from './parts.js';

const place = { bundle: 'a'.repeat(64), file: 'model.onnx', offset: 7 };

test('questions and pieces come back as they were sent', () => {
  const ask = { ...place, bytes: 100 };
  assert.deepEqual(parseAsk(Buffer.from(encodeAsk(ask))), ask);
  const data = Uint8Array.from({ length: 300 }, (_, i) => i % 256); // line feeds among them
  const part = parsePart(encodePart({ ...place, data }))!;
  assert.deepEqual([part.file, part.offset, [...part.data]], ['model.onnx', 7, [...data]]);
  const error = { code: 'EW_MODEL_TRANSFER' as const, text: 'gone' };
  assert.deepEqual(parsePart(encodePart({ ...place, data: new Uint8Array(0), error }))?.error, error);
});

test('nothing else is one', () => {
  const asks = [
    { ...place, bytes: 0 },
    { ...place, bytes: modelLimits.maxChunkBytes + 1 },
    { ...place, bytes: 1, offset: -1 },
    { ...place, bytes: 1, file: '../secret' },
    { ...place, bytes: 1, bundle: '../../etc' },
    { ...place, bytes: 1, more: true },
  ];
  for (const ask of asks)
    assert.equal(parseAsk(Buffer.from(JSON.stringify(ask))), undefined, JSON.stringify(ask));
  assert.equal(parseAsk(Buffer.alloc(513, 32)), undefined);
  const parts = [
    Buffer.from('no line at all'),
    Buffer.from('{}\nx'),
    Buffer.concat([Buffer.from(' '.repeat(2100)), encodePart({ ...place, data: new Uint8Array(1) })]),
    encodePart({ ...place, data: new Uint8Array(modelLimits.maxChunkBytes + 1) }),
  ];
  for (const part of parts) assert.equal(parsePart(part), undefined);
});

test('an id is of the content: order of files and signature do not matter, every byte does', () => {
  const files = { 'a.bin': Uint8Array.of(1, 2), 'b.bin': Uint8Array.of(3) };
  const manifest = manifestOf({ type: 'pump', revision: '0123456789ab' }, files);
  const id = bundleIdOf(manifest);
  const signature = { algorithm: 'ed25519', keyId: 'k', value: 'v' };
  assert.equal(bundleIdOf({ ...manifest, files: [...manifest.files].reverse(), signature }), id);
  assert.ok(manifestSchema.safeParse({ ...manifest, signature }).success, 'it has its place');
  const other = manifestOf(
    { type: 'pump', revision: '0123456789ab' },
    { ...files, 'b.bin': Uint8Array.of(4) },
  );
  assert.notEqual(bundleIdOf(other), id);
});

test('one assignment that is wrong does not spoil the others', () => {
  const manifest = manifestOf({ type: 'pump', revision: '0123456789ab' }, { 'a.bin': Uint8Array.of(1) });
  const good = { order: '1'.repeat(16), type: 'pump', manifest };
  const twice = {
    ...good,
    type: 'press',
    manifest: { ...manifest, type: 'press', files: [...manifest.files, ...manifest.files] },
  };
  const wanted = parseAnnouncement(
    Buffer.from(JSON.stringify({ assignments: [twice, good, { type: 'pump' }, 7] })),
  );
  assert.equal(wanted?.length, 2);
  assert.match((wanted![0] as { problem: string }).problem, /two files have one name/);
  assert.deepEqual(wanted![1], good);
});

test('of two assignments for one device type neither is carried out', () => {
  const one = { order: '1'.repeat(16), type: 'pump', manifest: null };
  const assignments = [one, { ...one, order: '2'.repeat(16) }, { ...one, type: 'press' }];
  const [pump, press, ...others] = parseAnnouncement(Buffer.from(JSON.stringify({ assignments })))!;
  assert.match((pump as { problem: string }).problem, /two assignments .* of type pump/);
  assert.deepEqual([press, others], [assignments[2], []]);
});
