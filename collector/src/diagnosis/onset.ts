/** When channels left what is usual, and which of two did so first, where that is clear. */

/** How a channel left, by the middle of five rows, so that single readings and noise do not count. */
export interface Crossing {
  /** The last row at which it still was inside. */
  readonly insideMs: number;
  /** The first one from which on it has stayed outside. */
  readonly outsideMs: number;
}

/** Half widths from the middle: inside up to the first, outside from the second, and by now clearly so. */
const [insideTo, outsideFrom, clearlyFrom] = [1, 1.5, 2.8];
/** Rows that a middle is of, and that it must stay outside. */
const [aroundRows, leastRows] = [5, 5];
/** So many rows must lie between two channels: what the middles of five blur, with some room. */
const apartRows = 6;

/**
 * @param time  [n] ms, rising
 * @param values  [n]; null = missing
 * @param from  index of the first row that may be part of the trouble
 * @returns undefined where it has not left clearly, or never was inside
 */
export function crossingOf(
  time: readonly number[],
  values: readonly (number | null)[],
  from: number,
  { center, half }: { readonly center: number; readonly half: number },
): Crossing | undefined {
  const rows: { readonly timeMs: number; readonly value: number }[] = [];
  for (let i = Math.max(0, from - aroundRows); i < values.length; i++) {
    const value = values[i];
    if (value !== null && value !== undefined) rows.push({ timeMs: time[i]!, value });
  }
  const middles = rows
    .slice(aroundRows - 1)
    .map((_, i) => (middleOf(rows.slice(i, i + aroundRows)) - center) / half);
  const timeOf = (i: number) => rows[i + (aroundRows - 1) / 2]!.timeMs;
  const last = middles.at(-1) ?? 0;
  if (Math.abs(last) < clearlyFrom) return undefined;
  const shown = (i: number) => Math.sign(last) * middles[i]!;
  let outside = middles.length;
  while (outside > 0 && shown(outside - 1) > outsideFrom) outside -= 1;
  let inside = outside - 1;
  while (inside >= 0 && Math.abs(middles[inside]!) > insideTo) inside -= 1;
  if (inside < 0 || middles.length - outside < leastRows) return undefined;
  return { insideMs: timeOf(inside), outsideMs: timeOf(outside) };
}

/**
 * By how much the first one left before the second, ms.
 * @param intervalMs  from row to row; of two devices the longer one
 * @returns undefined unless the second was still inside rows after the first had left
 */
export function leadOf(first: Crossing, second: Crossing, intervalMs: number): number | undefined {
  const least = Math.max(apartRows * intervalMs, durationOf(first) / 2, durationOf(second) / 2);
  return second.insideMs - first.outsideMs >= least ? second.outsideMs - first.outsideMs : undefined;
}

/** The slower a channel leaves, the less it is known when it began to. */
function durationOf({ insideMs, outsideMs }: Crossing): number {
  return outsideMs - insideMs;
}

function middleOf(rows: readonly { readonly value: number }[]): number {
  const sorted = rows.map(({ value }) => value).sort((a, b) => a - b);
  return sorted[(sorted.length - 1) / 2]!;
}
