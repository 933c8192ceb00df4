/** The finite ones, ascending. */
export function sortedFinite(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).filter(Number.isFinite).sort();
}

/** Nearest rank, without interpolation: always a value that occurred. `sorted` must not be empty. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

export function variance(values: ArrayLike<number>): number {
  let mean = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    // Welford 1962: stable, one pass.
    const off = values[i]! - mean;
    mean += off / (i + 1);
    squares += off * (values[i]! - mean);
  }
  return values.length > 1 ? squares / (values.length - 1) : 0;
}

/** Digits enough for every use, few enough that bundles come out the same on every machine. */
export function rounded(value: number, digits = 7): number {
  return Number(value.toPrecision(digits));
}
