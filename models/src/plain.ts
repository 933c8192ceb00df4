import type { ChannelEvidence, Detector, RecordBatch } from '@edgeward/shared/contracts';
import type { Card, ChannelCard, FeatureRange, ForestCard } from './card.js';
import { channelEvidence, contributions, rowsAt } from './contributions.js';
import type { FeatureSpec } from './feature-spec.js';
import { FeatureExtractor } from './features.js';
import { judgePlain } from './stream/plain-row.js';

export interface PlainRow {
  /** By field. Fields the model does not know are ignored; absent ones count as usual. */
  readonly values: Readonly<Record<string, number>>;
}

export interface PlainResult {
  readonly score: number;
  readonly anomaly: boolean;
  /** Empty for rows that are not flagged. */
  readonly channels: readonly ChannelEvidence[];
}

/** A batch numbers its devices with 16 bits, and here every row is a device. */
export const maxPlainRows = 65_536;

/**
 * Scores single rows without history. Weaker than the same rows as a stream, so the card has an own threshold for it.
 * @param rows  at most `maxPlainRows`
 */
export function scorePlain(
  detector: Detector,
  card: Card,
  rows: readonly PlainRow[],
): Promise<PlainResult[]> {
  const values = card.fields.map(field => Float64Array.from(rows, row => row.values[field] ?? Number.NaN));
  return card.format === 1
    ? scoreFirstRows(detector, card, values, rows.length)
    : Promise.resolve(rows.map((_, r) => plainChannels(card, values, r)));
}

/** By the distance from the training rows alone: the other views and the forest look at means over several rows. */
function plainChannels(card: ChannelCard, values: readonly Float64Array[], r: number): PlainResult {
  const { score, channels } = judgePlain(card.channels, values, r);
  const anomaly = score >= card.plainThreshold;
  return { score, anomaly, channels: anomaly ? channels : [] };
}

/**
 * Each as the first row of a new device: changes are 0; spreads and shares of time count as usual; levels, and how the
 * channels fit together, speak.
 */
async function scoreFirstRows(
  detector: Detector,
  card: ForestCard,
  values: readonly Float64Array[],
  n: number,
): Promise<PlainResult[]> {
  const x = plainMatrix(card.features, card.featureRanges, values);
  const columns = card.featureRanges.length;
  const scores = await detector.score(x, n);
  const flagged = [...scores.keys()].filter(r => scores[r]! >= card.plainThreshold);
  const channels = new Map<number, ChannelEvidence[]>();
  const parts = await contributions(detector, card, rowsAt(x, columns, flagged), flagged.length);
  for (const [i, r] of flagged.entries()) {
    const features = x.subarray(r * columns, (r + 1) * columns);
    const own = parts.subarray(i * values.length, (i + 1) * values.length);
    channels.set(
      r,
      channelEvidence(
        card,
        features,
        own,
        values.map(column => column[r]!),
      ),
    );
  }
  return Array.from(scores, (score, r) => ({
    score,
    anomaly: channels.has(r),
    channels: channels.get(r) ?? [],
  }));
}

/**
 * @param values  per channel of the spec, [n]; NaN = none
 * @returns       features, row-major
 */
export function plainMatrix(
  spec: FeatureSpec,
  ranges: readonly FeatureRange[],
  values: readonly Float64Array[],
): Float32Array {
  const n = values[0]?.length ?? 0;
  const extractor = new FeatureExtractor(spec);
  const matrix = new Float32Array(n * ranges.length);
  extractor.extract(batchOfFirstRows(spec, values, n), matrix, new Uint8Array(n));
  ranges.forEach(({ feature, median }, f) => {
    if (!/\.(spread|mean)$/.test(feature)) return;
    for (let r = 0; r < n; r++) matrix[r * ranges.length + f] = median;
  });
  return matrix;
}

function batchOfFirstRows(spec: FeatureSpec, values: readonly Float64Array[], n: number): RecordBatch {
  return {
    schema: {
      type: '',
      fields: spec.channels.map(({ field }) => ({ name: field, kind: 'float' })),
      devices: Array.from({ length: n }, (_, r) => String(r)),
    },
    time: new Float64Array(n),
    device: Uint16Array.from({ length: n }, (_, r) => r),
    row: new Float64Array(n).fill(1),
    values,
    quality: new Uint16Array(n),
  };
}
