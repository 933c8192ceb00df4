/** What repeated runs of one variant gave. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @throws TypeError for no values, or one that is not a number: a missing measurement must not look like one */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0 || values.some(value => !Number.isFinite(value)))
    throw new TypeError(`no spread of [${values.join(', ')}]`);
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  const median = sorted.length % 2 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Runs of a variant, figure by figure; a figure that any run lacks is left out. */
export function summarise(
  runs: readonly Readonly<Record<string, number | undefined>>[],
): Record<string, Spread> {
  const names = new Set(runs.flatMap(run => Object.keys(run)));
  return Object.fromEntries(
    [...names].flatMap(name => {
      const values = runs.map(run => run[name]).filter(value => value !== undefined);
      return values.length === runs.length ? [[name, spreadOf(values)] as const] : [];
    }),
  );
}

/** @param share  0 to 1 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new TypeError('no percentile of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
