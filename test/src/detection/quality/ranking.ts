export interface Ranking {
  /** Area under the ROC curve: how often an anomalous row scores above a normal one; equal scores count half. */
  readonly auc: number;
  /** Average precision: mean, over the anomalous rows, of the precision at their score. */
  readonly ap: number;
}

/**
 * How well scores tell anomalous rows from normal ones.
 * @param labels  1 = anomalous, 0 = normal
 * @param scores  higher = more anomalous
 * @throws TypeError for scores that are no numbers, or rows that are all of one kind
 */
export function rank(labels: ArrayLike<number>, scores: Float64Array): Ranking {
  if (labels.length !== scores.length || scores.some(Number.isNaN))
    throw new TypeError(`${labels.length} rows have no such scores`);
  // Falling, as both are walked from the top.
  const anomalous = scores
    .filter((_, r) => labels[r] === 1)
    .sort()
    .reverse();
  const normal = scores
    .filter((_, r) => labels[r] === 0)
    .sort()
    .reverse();
  if (anomalous.length === 0 || normal.length === 0) throw new TypeError('all rows are of one kind');
  const [all, none] = [anomalous.length, normal.length];
  let [auc, ap, found, wrong] = [0, 0, 0, 0];
  while (found < all || wrong < none) {
    const score = Math.max(anomalous[found] ?? -Infinity, normal[wrong] ?? -Infinity);
    const hits = equalFrom(anomalous, found, score);
    const misses = equalFrom(normal, wrong, score);
    auc += misses * (found + hits / 2);
    found += hits;
    wrong += misses;
    ap += ((hits / all) * found) / (found + wrong);
  }
  return { auc: auc / (all * none), ap };
}

function equalFrom(list: Float64Array, from: number, value: number): number {
  let to = from;
  while (list[to] === value) to += 1;
  return to - from;
}
