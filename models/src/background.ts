import { seededRng, subSeed } from '@edgeward/shared/rng';
import { channelStarts, type FeatureSpec, featureNames } from './feature-spec.js';
import { quantile } from './statistics.js';

/**
 * Share of the rows a forest is grown from that are disturbed ones: so much a channel, and so much at most. With
 * more of them the space around a channel's normal rows would look inhabited, and its faults normal.
 */
const [shareAChannel, mostShare] = [0.05, 0.3];
/** How far beyond the usual edge a disturbed feature lies, in widths of the usual range: from … to, log-uniform. */
const [nearest, farthest] = [0.05, 3];

/**
 * Normal rows in which one channel has left its usual range, to be added to the training rows. Grown from normal
 * rows alone, a forest has no branches outside them, and a fault in one of thirty features is hardly isolated
 * earlier than a normal row; with these, branches lie around the normal rows, in every feature.
 * @param known  row-major normal rows
 * @returns      row-major
 */
export function backgroundRows(spec: FeatureSpec, known: Float32Array, seed: number): Float32Array {
  const starts = channelStarts(spec);
  const names = featureNames(spec);
  const columns = names.length;
  const edges = names.map((_, f) => edgesOf(known, columns, f));
  const share = Math.min(mostShare, shareAChannel * spec.channels.length);
  const count = Math.round(((known.length / columns) * share) / (1 - share));
  const rng = seededRng(subSeed(seed, 'background'));
  const rows = new Float32Array(count * columns);
  for (let r = 0; r < count; r++) {
    const from = Math.floor((rng() * known.length) / columns) * columns;
    rows.set(known.subarray(from, from + columns), r * columns);
    const c = Math.floor(rng() * spec.channels.length);
    const [first, end] = [starts[c]!, starts[c + 1]!];
    // One feature for certain, each other one as likely as not.
    const certain = first + Math.floor(rng() * (end - first));
    for (let f = first; f < end; f++) {
      if (f !== certain && rng() < 0.5) continue;
      const [low, high] = edges[f]!;
      const beyond = (high - low) * nearest * (farthest / nearest) ** rng();
      const upwards = names[f]!.endsWith('.spread') || rng() < 0.5;
      rows[r * columns + f] = upwards ? high + beyond : low - beyond;
    }
  }
  return rows;
}

function edgesOf(known: Float32Array, columns: number, f: number): [low: number, high: number] {
  const values = Float32Array.from(
    { length: known.length / columns },
    (_, r) => known[r * columns + f]!,
  ).sort();
  return [quantile(values, 0.0005), quantile(values, 0.9995)];
}
