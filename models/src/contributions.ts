import type { ChannelEvidence, Detector } from '@edgeward/shared/contracts';
import type { ForestCard } from './card.js';
import { channelStarts } from './feature-spec.js';

/**
 * How much of a row's score each channel explains, by taking it away and by looking at it alone: the score that
 * is lost when the channel's features are set to their training medians, plus the score that is gained when
 * all the others are. (Taking away alone shares too little among channels that a fault moves together; one alone
 * misses combinations.) Beyond its outermost branches the forest cannot tell far from farther, so each part is
 * weighed with how unusual the channel is. All variants of all rows go to the detector in one call.
 * @param x  row-major [n, F]
 * @returns  [n, channels], each row's parts sum to 1, or are all 0 if no channel explains anything
 */
export async function contributions(
  detector: Detector,
  card: ForestCard,
  x: Float32Array,
  n: number,
): Promise<Float32Array> {
  const variants = channelVariants(card, x, n);
  const columns = card.featureRanges.length;
  const scores = await detector.score(variants, variants.length / columns);
  const channels = card.fields.length;
  const parts = new Float32Array(n * channels);
  const perRow = 2 + 2 * channels;
  for (let r = 0; r < n; r++) {
    const at = r * perRow;
    const [whole, normal] = [scores[at]!, scores[at + 1]!];
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      const lost = Math.max(0, whole - scores[at + 2 + c]!);
      const gained = Math.max(0, scores[at + 2 + channels + c]! - normal);
      const size = Math.abs(largest(offsOf(card, x.subarray(r * columns), c))?.off ?? 0);
      const part = (lost + gained) * Math.min(size, farthest);
      parts[r * channels + c] = part;
      sum += part;
    }
    if (sum > 0) for (let c = 0; c < channels; c++) parts[r * channels + c]! /= sum;
  }
  return parts;
}

/** Per row: the row, the medians, then per channel the row without it, then per channel the medians but for it. */
function channelVariants(card: ForestCard, x: Float32Array, n: number): Float32Array {
  const medians = Float32Array.from(card.featureRanges, range => range.median);
  const starts = channelStarts(card.features);
  const columns = medians.length;
  const channels = card.fields.length;
  const variants = new Float32Array(n * (2 + 2 * channels) * columns);
  let at = 0;
  const put = (base: Float32Array, other: Float32Array, channel: number) => {
    variants.set(base, at);
    const [from, to] = [starts[channel], starts[channel + 1]];
    if (from !== undefined && to !== undefined) variants.set(other.subarray(from, to), at + from);
    at += columns;
  };
  for (let r = 0; r < n; r++) {
    const row = x.subarray(r * columns, (r + 1) * columns);
    put(row, row, -1);
    put(medians, medians, -1);
    for (let c = 0; c < channels; c++) put(row, medians, c);
    for (let c = 0; c < channels; c++) put(medians, row, c);
  }
  return variants;
}

/** Some rows of a matrix, copied. */
export function rowsAt(x: Float32Array, columns: number, rows: ArrayLike<number>): Float32Array {
  const picked = new Float32Array(rows.length * columns);
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * columns;
    picked.set(x.subarray(from, from + columns), i * columns);
  }
  return picked;
}

/** A range can have no width: a door that is hardly ever open. */
const leastWidth = 1e-6;
/** So many widths from its median a feature is as unusual as can be. */
const farthest = 20;
/** Below this a channel's part is not worth a person's attention. */
const leastWeight = 0.02;

/**
 * The contributions of one row as evidence, largest first.
 * @param row     the row's features
 * @param parts   [channels] from `contributions`
 * @param values  [channels] values as read; NaN = none
 */
export function channelEvidence(
  card: ForestCard,
  row: Float32Array,
  parts: Float32Array,
  values: readonly number[],
): ChannelEvidence[] {
  const evidence = card.channelRanges.map((range, c) => ({
    field: range.field,
    value: Number.isFinite(values[c]) ? values[c]! : null,
    expected: range.expected,
    direction: directionOf(card, row, c, values[c]!),
    weight: parts[c]!,
  }));
  return evidence
    .filter(channel => channel.weight >= leastWeight)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 6);
}

/**
 * Outside its usual range a value is high or low; inside, the channel's most unusual feature decides, and one that
 * has a sign goes before the spread as long as it is outside its own usual range.
 */
function directionOf(
  card: ForestCard,
  row: Float32Array,
  channel: number,
  value: number,
): ChannelEvidence['direction'] {
  const { expected } = card.channelRanges[channel]!;
  if (value > expected[1]) return 'high';
  if (value < expected[0]) return 'low';
  const offs = offsOf(card, row, channel);
  const most = largest(offs.filter(({ isSpread, outside }) => !isSpread && outside)) ?? largest(offs);
  if (!most || most.isSpread || most.off === 0) return 'unusual';
  return most.off > 0 ? 'high' : 'low';
}

interface Off {
  readonly isSpread: boolean;
  /** Distance from the median in widths of the usual range. */
  readonly off: number;
  readonly outside: boolean;
}

function offsOf(card: ForestCard, row: Float32Array, channel: number): Off[] {
  const starts = channelStarts(card.features);
  const [from, to] = [starts[channel]!, starts[channel + 1]!];
  return card.featureRanges.slice(from, to).map(({ low, high, median, feature }, i) => {
    const value = row[from + i]!;
    return {
      isSpread: feature.endsWith('.spread'),
      off: (value - median) / Math.max(high - low, leastWidth),
      outside: value < low || value > high,
    };
  });
}

function largest(offs: readonly Off[]): Off | undefined {
  return [...offs].sort((a, b) => Math.abs(b.off) - Math.abs(a.off))[0];
}
