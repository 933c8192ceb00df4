/**
 * What is known of a stretch of values, as a few numbers, so that the summaries of two neighbouring stretches give
 * that of both. Nothing is ever taken out of one again: so nothing drifts, however long a stream is.
 *
 * Kinds are told apart by a switch and not by objects with methods: a call of one of many methods would cost more than
 * what it does.
 */
export const Summary = {
  /** Count, mean, and sum of squared distances from the mean: equal values have exactly their mean and no spread. */
  moments: 0,
  /** The lowest value. */
  lowest: 1,
  /** The highest value. */
  highest: 2,
  /** First value, and how many there are. */
  oldest: 3,
} as const;
export type SummaryKind = (typeof Summary)[keyof typeof Summary];

/** How many numbers it takes, by kind. */
export const summaryWidths: readonly number[] = [3, 1, 1, 2];

/** The summary of one value. */
export function begin(kind: SummaryKind, data: Float64Array, at: number, value: number): void {
  if (kind === Summary.moments) {
    data[at] = 1;
    data[at + 1] = value;
    data[at + 2] = 0;
    return;
  }
  data[at] = value;
  if (kind === Summary.oldest) data[at + 1] = 1;
}

/** Takes in the value after those it is of. */
export function add(kind: SummaryKind, data: Float64Array, at: number, value: number): void {
  if (kind === Summary.moments) addMoment(data, at, value);
  else if (kind === Summary.oldest) data[at + 1]! += 1;
  else if (kind === Summary.lowest ? value < data[at]! : value > data[at]!) data[at] = value;
}

/** @param into  gets that of the stretches at `a` and, after it, `b`; may be one of them */
export function join(kind: SummaryKind, data: Float64Array, into: number, a: number, b: number): void {
  switch (kind) {
    case Summary.moments:
      joinMoments(data, into, a, b);
      return;
    case Summary.lowest:
      data[into] = data[b]! < data[a]! ? data[b]! : data[a]!;
      return;
    case Summary.highest:
      data[into] = data[b]! > data[a]! ? data[b]! : data[a]!;
      return;
    case Summary.oldest: {
      const count = data[a + 1]! + data[b + 1]!;
      data[into] = data[a]!;
      data[into + 1] = count;
    }
  }
}

/** Welford 1962. */
function addMoment(data: Float64Array, at: number, value: number): void {
  const count = data[at]! + 1;
  const off = value - data[at + 1]!;
  const mean = data[at + 1]! + off / count;
  data[at] = count;
  data[at + 1] = mean;
  data[at + 2]! += off * (value - mean);
}

/** Chan, Golub, LeVeque 1983. */
function joinMoments(data: Float64Array, into: number, a: number, b: number): void {
  const count = data[a]! + data[b]!;
  const off = data[b + 1]! - data[a + 1]!;
  const share = data[b]! / count;
  const mean = data[a + 1]! + off * share;
  const squares = data[a + 2]! + data[b + 2]! + off * off * share * data[a]!;
  data[into] = count;
  data[into + 1] = mean;
  data[into + 2] = squares;
}
