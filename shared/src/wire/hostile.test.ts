/** What comes from outside may be cut, flipped, or made to harm: it is refused, and nothing else happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field } from '../contracts.js';
import { seededRng } from '../rng.js';
import fc from '../testing/properties.js';
import { testSeed } from '../testing/seed.js';
import type { BitWriter } from './bit-writer.js';
import { type Described, decodeBlock, describe, encodeBlock, readHeader, wireLimits } from './block.js';
import { type BlockHeader, writeHeader } from './header.js';
import { sample, sampleId, sampleSchema, steadyRows } from './testing/samples.js';
import { forged, refused, sealed, unsealed } from './testing/sealed.js';

const described = describe(sampleSchema, 'pump-3');
const bytes = encodeBlock(sampleId, sample());
const steady = steadyRows(70);
const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const blocks: readonly [Uint8Array, Described][] = [
  [bytes, described],
  [encodeBlock(sampleId, steady), describe(steady.schema)],
  [encodeBlock({ ...sampleId, trace }, steady), describe(steady.schema)],
];

test('a block cut anywhere, or with anything behind it, is refused', () => {
  for (let length = 0; length < bytes.length; length++)
    assert.ok(refused(bytes.subarray(0, length), described, `cut at ${length}`), `cut at ${length}`);
  assert.ok(refused(Buffer.concat([bytes, Buffer.alloc(8)]), described, 'longer'));
});

test('cut anywhere, or longer, with a right checksum, it is refused all the same', () => {
  for (const [whole, of] of blocks) {
    const inside = unsealed(whole);
    for (let length = 0; length < inside.length; length++)
      assert.ok(refused(sealed(inside.subarray(0, length)), of, `cut at ${length}`), `cut at ${length}`);
    assert.ok(refused(sealed(Buffer.concat([inside, Buffer.alloc(1)])), of, 'longer'));
  }
});

test('one flipped bit anywhere is noticed', () => {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(refused(flipped, described, `bit ${bit}`), `bit ${bit}`);
  }
});

test('lying bytes behind a right checksum never cause another error', () => {
  const seed = testSeed('hostile blocks');
  const rng = seededRng(seed);
  let taken = 0;
  for (let i = 0; i < 20_000; i++) {
    const [whole, of] = blocks[i % blocks.length]!;
    const lying = unsealed(whole);
    for (let flips = 1 + Math.floor(rng() * 3); flips > 0; flips--)
      lying[1 + Math.floor(rng() * (lying.length - 1))]! ^= 1 << Math.floor(rng() * 8);
    if (!refused(sealed(lying), of, `SEED=${seed}, round ${i}`)) taken += 1;
  }
  // A flipped value is a value: if all were refused, the flips would not have reached the columns.
  assert.ok(taken > 1000, `SEED=${seed}: ${taken}`);
});

test('whatever is taken keeps its word: rows rise, and are those that the header counts', () => {
  fc.assert(
    fc.property(fc.nat(blocks.length - 1), fc.infiniteStream(fc.nat()), (which, draws) => {
      const [whole, of] = blocks[which]!;
      const lying = unsealed(whole);
      const [at, bit] = [draws.next().value ?? 0, draws.next().value ?? 0];
      lying[1 + (at % (lying.length - 1))]! ^= 1 << (bit % 8);
      if (refused(sealed(lying), of, 'flipped')) return;
      const { header, batch } = decodeBlock(sealed(lying), () => of);
      assert.equal(header.rows, batch.time.length);
      for (const { index, first, last, count } of header.devices) {
        const rows = [...batch.row].filter((_, i) => batch.device[i] === index);
        assert.deepEqual([rows[0], rows.at(-1), rows.length], [first, last, count]);
        assert.ok(rows.every((row, i) => i === 0 || row > rows[i - 1]!));
      }
    }),
    { numRuns: 500 },
  );
});

test('random bytes, with and without a version of ours in front, are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(2), (random, version) => {
      const made = version > 0 ? sealed(Uint8Array.of(version, ...random)) : random;
      assert.ok(refused(made, described, 'random'));
    }),
  );
});

const header: BlockHeader = {
  ...sampleId,
  schemaId: described.id,
  rows: 3,
  devices: [{ index: 0, first: 1, last: 3, count: 3 }],
};

/** Sample rows up to where the columns begin, then what the test says. */
const lying = (change: Partial<BlockHeader>, columns: (out: BitWriter) => void = () => undefined) =>
  forged(out => {
    const all = { ...header, ...change };
    writeHeader(out, all, all);
    columns(out);
    // Zeros enough to go on reading.
    out.bytes(new Uint8Array(4096));
  });

/** All the same: step 1, the base 0, no residuals. */
const constantIntegers = (out: BitWriter) => {
  out.put(0, 1 + 6);
  out.put(7, 3);
};
/** Times, or a column of float: not raw, exponent 0, not single, no exceptions. */
const constantFloats = (out: BitWriter) => {
  out.put(0, 7);
  constantIntegers(out);
};
/** Up to the boolean column. */
const constants = (out: BitWriter) => {
  constantFloats(out);
  constantFloats(out);
  out.put(0, 1);
  constantIntegers(out);
};
const device = { index: 0, first: 1, last: 3, count: 3 };
const two = [
  { index: 0, first: 1, last: 2, count: 2 },
  { index: 1, first: 1, last: 1, count: 1 },
];

/** What is wrong, the block, and what the refusal says: another reason would leave the check untested. */
const lies: readonly [string, Uint8Array, RegExp][] = [
  ['more rows than any block', lying({ rows: 65_537 }), /65537 rows are more/],
  ['more rows than its devices', lying({ rows: 4, devices: two }), /another number of rows/],
  [
    'rows that cannot be shared out',
    lying({ rows: 4, devices: [1, 2, 3].map(index => ({ ...device, index })) }),
    /evenly/,
  ],
  ['no devices', lying({ rows: 0 }), /1 devices are more than 0/],
  ['a device the schema has not', lying({ devices: [{ ...device, index: 2 }] }), /schema has not/],
  ['a device twice', lying({ devices: two.map(one => ({ ...one, index: 1 })) }), /twice/],
  ['a gap without room', lying({ rows: 1, devices: [{ ...device, count: 1 }] }), /cannot leave out/],
  [
    'a row number beyond all',
    lying({ devices: [{ ...device, first: 2 ** 53 - 1, last: 2 ** 53 + 1 }] }),
    /row number/,
  ],
  [
    'a gap that is not',
    lying({ devices: [{ ...device, last: 9 }] }, out => out.put(7, 3)),
    /header and its rows disagree/,
  ],
  [
    'rows that fall',
    // Mode 0, nothing cut, k = 0: the error −1 as zigzag 1, then no more.
    lying({ devices: [{ ...device, last: 9 }] }, out => out.put(0b1_10_00000_0_000, 12)),
    /do not rise/,
  ],
  ['a number without end', lying({ devices: [{ ...device, last: 9 }] }, out => out.put(0, 9)), /has no end/],
  [
    'a way to predict that is none',
    lying({ devices: [{ ...device, last: 9 }] }, out => out.put(6, 3)),
    /predict/,
  ],
  [
    'rows of other devices',
    lying({ devices: two }, out => {
      out.put(2, 2);
      for (let i = 0; i < 2; i++) {
        out.count(0);
        out.put(1, 1);
      }
    }),
    /other devices/,
  ],
  [
    'a run longer than its column',
    lying({}, out => {
      constants(out);
      out.put(1, 2);
      out.put(0, 4 + 1);
      out.count(3);
    }),
    /run is longer/,
  ],
  [
    'more text than there are bytes',
    lying({}, out => {
      constants(out);
      out.put(0, 2);
      out.count(0);
      out.count(2 ** 20);
    }),
    /cut short/,
  ],
  ['anything behind its columns', lying({}, constants), /left behind|JSON/],
];
for (const [what, made, why] of lies)
  test(`a block that claims ${what} is refused`, () => {
    assert.throws(() => decodeBlock(made, () => described), { code: 'EW_BLOCK_CORRUPT', message: why });
  });

test('nothing is made room for that cannot be there', () => {
  const fields = Array.from(
    { length: wireLimits.maxFields },
    (_, f): Field => ({ name: `f${f}`, kind: 'float' }),
  );
  const wide = describe({ type: 'probe', fields, devices: ['a'] });
  const rows = wireLimits.maxRows;
  const made = lying({ schemaId: wide.id, rows, devices: [{ index: 0, first: 1, last: rows, count: rows }] });
  const before = process.memoryUsage().arrayBuffers;
  assert.ok(refused(made, wide, 'too much'));
  assert.ok(process.memoryUsage().arrayBuffers - before < 8e6);
});

test('a version of later, and the one before, are told apart from damage', () => {
  for (const version of [0, 3, 255]) {
    const other = unsealed(bytes);
    other[0] = version;
    for (const decode of [() => readHeader(sealed(other)), () => decodeBlock(sealed(other), () => described)])
      assert.throws(decode, { code: 'EW_BLOCK_VERSION' });
  }
  assert.throws(() => readHeader(Buffer.from('EW\0\0.............')), /Version 0/);
});

test('a block of one version under the number of the other is refused', () => {
  for (const [whole, of] of blocks) {
    const other = unsealed(whole);
    other[0] = 3 - other[0]!;
    assert.ok(refused(sealed(other), of, `version ${other[0]}`));
  }
});

test('a trace or span of zeros is none', () => {
  for (const id of ['traceId', 'spanId'] as const) {
    const made = (digit: string) => {
      const hex = digit.repeat(trace[id].length);
      return unsealed(encodeBlock({ ...sampleId, trace: { ...trace, [id]: hex } }, steady));
    };
    const [ones, twos] = [made('1'), made('2')];
    const zeros = sealed(ones.map((byte, i) => byte & twos[i]!));
    assert.throws(() => readHeader(zeros), { code: 'EW_BLOCK_CORRUPT', message: /its trace is none/ });
  }
});
