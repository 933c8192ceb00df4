import type { Evidence, RecordBatch, Schema } from '../../contracts.js';
import type { BlockId } from '../block.js';

export const sampleId: BlockId = {
  epoch: '000000002-00000000000000aa',
  seq: 7,
  oldestEpoch: '000000001-00000000000000bb',
  atMs: 1_790_000_000_000,
};

export function evidenceAt(at: number): Evidence {
  return {
    at,
    detector: 'forest',
    source: 'pump-3',
    score: 0.75,
    threshold: 0.5,
    channels: [
      { field: 'x', value: null, direction: 'unusual', weight: 0.5 },
      { field: 'x', value: 1.5, expected: [0, 1], direction: 'high', weight: 0.5 },
    ],
  };
}

export const sampleSchema: Schema = {
  type: 'probe',
  fields: [
    { name: 'x', kind: 'float' },
    { name: 'n', kind: 'int' },
    { name: 'on', kind: 'bool' },
    { name: 'mode', kind: 'string' },
  ],
  devices: ['a', 'b'],
};

/** One of each column, and of each thing a batch may have. */
export function sample(): RecordBatch {
  return {
    schema: sampleSchema,
    time: Float64Array.of(1, 2, 3),
    device: Uint16Array.of(1, 0, 1),
    row: Float64Array.of(11, 5, 12),
    values: [
      Float64Array.of(1.5, -0, Number.NaN),
      BigInt64Array.of(1n, -1n, 0n),
      Uint8Array.of(1, 0, 1),
      ['auto', '', 'händ'],
    ],
    missing: [undefined, Uint8Array.of(4), undefined, undefined],
    quality: Uint16Array.of(0, 1, 2),
    fieldQuality: [Uint8Array.of(0, 0, 2), undefined, undefined, undefined],
    model: 'pump-3',
    score: Float32Array.of(0.5, Number.NaN, 0.75),
    anomaly: Uint8Array.of(0, 0, 1),
    evidence: [evidenceAt(2)],
  };
}

/** Rows of two devices read once a second, as sensors give them. */
export function steadyRows(ticks: number): RecordBatch {
  const n = ticks * 2;
  const at = (i: number) => Math.floor(i / 2);
  const column = (value: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => value(i));
  return {
    schema: {
      type: 'probe',
      fields: [
        { name: 'temperature', kind: 'float', unit: 'Cel', min: -50, max: 150 },
        { name: 'pressure', kind: 'float', unit: 'bar' },
      ],
      devices: ['probe-1', 'probe-2'],
    },
    time: column(i => 1_790_000_000_000 + 1000 * at(i)),
    device: Uint16Array.from({ length: n }, (_, i) => i % 2),
    row: column(i => 41 + at(i)),
    values: [
      column(i => Math.round(2100 + 30 * Math.sin(i / 9) + ((i * 7) % 5)) / 100),
      column(i => Math.round(500 + ((i * 13) % 11) * (i % 2)) / 500),
    ],
    quality: new Uint16Array(n),
  };
}
