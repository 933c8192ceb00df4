/**
 * Blocks with what they hold, for whoever writes another decoder. `node shared/dist/wire/testing/vectors.js` writes
 * them to shared/vectors.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Column, RecordBatch, TraceContext } from '../../contracts.js';
import { gaussian, seededRng } from '../../rng.js';
import { type BlockId, decodeBlock, describe, describedToJson, encodeBlock } from '../block.js';
import { sample, sampleId, steadyRows } from './samples.js';

export const vectorsFolder = fileURLToPath(new URL('../../../vectors', import.meta.url));

interface Case {
  readonly id: BlockId;
  readonly batch: RecordBatch;
}

const newest: BlockId = { ...sampleId, oldestEpoch: sampleId.epoch, atMs: 1_790_000_019_003 };

/** The example of W3C Trace Context. */
const trace: TraceContext = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

/** What each is for stands in shared/wire.md. */
const cases: Readonly<Record<string, () => Case>> = {
  'every-column': () => ({ id: sampleId, batch: sample() }),
  'one-row': () => ({ id: newest, batch: steadyRows(1) }),
  steady: () => ({ id: newest, batch: steadyRows(150) }),
  thinned: () => ({
    id: {
      ...newest,
      voids: [
        [2, 3],
        [5, 6],
      ],
    },
    batch: thinned(),
  }),
  'other-numbers': () => ({
    id: { ...newest, clock: { boot: '00112233445566778899aabbccddeeff', monotonicMs: 1234.5 } },
    batch: otherNumbers(),
  }),
  traced: () => ({ id: { ...newest, voids: [[2, 3]], trace }, batch: steadyRows(3) }),
};

/** Devices in no order, rows left out, own times of which one moved by 1 µs, and a time before 1970. */
function thinned(): RecordBatch {
  const batch = steadyRows(6);
  const device = Uint16Array.of(1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1);
  const next = [3, 100];
  return {
    ...batch,
    device,
    row: Float64Array.from(device, (d, i) => {
      next[d]! += d === 1 && i % 3 === 0 ? 2 : 1;
      return next[d]!;
    }),
    time: batch.time.map((time, i) => (i === 11 ? -5 : time + i * i + (i === 7 ? 0.001 : 0))),
    quality: batch.quality.map((_, i) => (i === 7 ? 256 : i === 11 ? 512 : 0)),
  };
}

/** No decimals, float32 values, large whole numbers, NaNs that carry something. */
function otherNumbers(): RecordBatch {
  const n = 140;
  const noise = gaussian(seededRng(7));
  const column = (value: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => value(i));
  const odd = column(i => (i % 9 === 0 ? Number.NaN : i % 9 === 1 ? -0 : i / 4));
  new BigUint64Array(odd.buffer)[5] = 0xfff0_0000_dead_beefn;
  const small = { ...steadyRows(n / 2), values: [] };
  return {
    ...small,
    schema: {
      type: 'odd',
      fields: [
        { name: 'raw', kind: 'float' },
        { name: 'single', kind: 'float' },
        { name: 'wide', kind: 'float' },
        { name: 'odd', kind: 'float' },
        { name: 'counter', kind: 'int' },
        { name: 'anything', kind: 'int' },
      ],
      devices: small.schema.devices,
    },
    values: [
      column(() => noise()),
      column(i => Math.fround(20 + (i % 5) / 10)),
      column(i => (7_000_000_000_000 + 3_000_000_000 * i + Math.round(1e9 * noise())) / 1000),
      odd,
      BigInt64Array.from({ length: n }, (_, i) => 9_000_000_000n * BigInt(1 + (i % 2)) + BigInt(i)),
      BigInt64Array.from({ length: n }, (_, i) => 2n ** 62n - BigInt(i) ** 7n),
    ],
    score: Float32Array.from({ length: n }, (_, i) => (i < 4 ? Number.NaN : 0.4 + (i % 7) / 1e4)),
  };
}

const word = new BigUint64Array(1);
const double = new Float64Array(word.buffer);

/** A number as JSON has it, else its bits as 16 hex digits. */
function numberText(value: number, bits: bigint): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : bits.toString(16).padStart(16, '0');
}

function columnJson(column: Column | Float32Array | Uint16Array | undefined): unknown {
  if (column === undefined) return null;
  if (column instanceof Float64Array) {
    const bits = new BigUint64Array(column.buffer, column.byteOffset, column.length);
    return Array.from(column, (value, i) => numberText(value, bits[i]!));
  }
  if (column instanceof Float32Array) {
    return Array.from(column, value => {
      double[0] = value;
      return numberText(value, word[0]!);
    });
  }
  return Array.from<unknown, unknown>(column as readonly unknown[], value =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

function batchJson(batch: RecordBatch): object {
  const list = (columns: readonly (Column | undefined)[]) => columns.map(columnJson);
  return {
    time: columnJson(batch.time),
    device: columnJson(batch.device),
    row: columnJson(batch.row),
    values: list(batch.values),
    missing: batch.missing ? list(batch.missing) : null,
    quality: columnJson(batch.quality),
    fieldQuality: batch.fieldQuality ? list(batch.fieldQuality) : null,
    score: columnJson(batch.score),
    anomaly: columnJson(batch.anomaly),
    evidence: batch.evidence ?? null,
  };
}

/** File name → content. What stands in the JSON is what the bytes decode to. */
export function vectors(): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [name, make] of Object.entries(cases)) {
    const { id, batch } = make();
    const described = describe(batch.schema, batch.model);
    const bytes = encodeBlock(id, batch);
    const block = decodeBlock(bytes, () => described);
    const held = {
      described: describedToJson(described),
      header: block.header,
      batch: batchJson(block.batch),
    };
    files.set(`${name}.bin`, Buffer.from(bytes));
    files.set(`${name}.json`, Buffer.from(`${jsonText(held)}\n`));
  }
  return files;
}

/** A line a column. */
function jsonText(held: { described: unknown; header: unknown; batch: object }): string {
  const columns = Object.entries(held.batch).map(
    ([name, column]) => `  "${name}": ${JSON.stringify(column)}`,
  );
  return [
    '{',
    `"described": ${JSON.stringify(held.described)},`,
    `"header": ${JSON.stringify(held.header)},`,
    `"batch": {\n${columns.join(',\n')}\n}`,
    '}',
  ].join('\n');
}

function write(): void {
  mkdirSync(vectorsFolder, { recursive: true });
  const files = vectors();
  for (const [name, content] of files) writeFileSync(path.join(vectorsFolder, name), content);
  for (const name of readdirSync(vectorsFolder)) if (!files.has(name)) rmSync(path.join(vectorsFolder, name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write();
