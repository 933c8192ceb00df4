import type { ChannelEvidence, Detector } from '@edgeward/shared/contracts';
import type { Card } from './card.js';
import { channelEvidence, contributions, rowsAt } from './contributions.js';
import type { FeatureKind } from './feature-spec.js';

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

/**
 * Scores single rows without history: changes are 0, spreads are what they usually are, so only the levels
 * speak. Weaker than the same rows as a stream; the card has an own threshold for it.
 */
export async function scorePlain(
  detector: Detector,
  card: Card,
  rows: readonly PlainRow[],
): Promise<PlainResult[]> {
  const columns = card.featureRanges.length;
  const x = new Float32Array(rows.length * columns);
  rows.forEach((row, r) => {
    x.set(plainFeatures(card, row.values), r * columns);
  });
  const scores = await detector.score(x, rows.length);
  const flagged = [...scores.keys()].filter(r => scores[r]! >= card.plainThreshold);
  const channels = new Map<number, ChannelEvidence[]>();
  const parts = await contributions(detector, card, rowsAt(x, columns, flagged), flagged.length);
  for (const [i, r] of flagged.entries()) {
    const features = x.subarray(r * columns, (r + 1) * columns);
    const own = parts.subarray(i * card.fields.length, (i + 1) * card.fields.length);
    const values = card.fields.map(field => rows[r]!.values[field] ?? Number.NaN);
    channels.set(r, channelEvidence(card, features, own, values));
  }
  return rows.map((_, r) => ({
    score: scores[r]!,
    anomaly: channels.has(r),
    channels: channels.get(r) ?? [],
  }));
}

function plainFeatures(card: Card, values: PlainRow['values']): Float32Array {
  const row = Float32Array.from(card.featureRanges, range => range.median);
  let at = 0;
  for (const { field, start, low, high, features } of card.features.channels) {
    const value = values[field];
    const level =
      value !== undefined && Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : start;
    for (const kind of features) {
      row[at] = plainFeature(kind, level, row[at]!);
      at += 1;
    }
  }
  return row;
}

/** The training code flattens its rows with this too, to find the threshold for them. */
export function plainFeature(kind: FeatureKind, level: number, usual: number): number {
  if (kind === 'value') return level;
  return kind === 'change' ? 0 : usual;
}
