/**
 * What a value is expected to be, from those of the same device before it; the difference is what is sent.
 * All in 32 bits that wrap round, so that no order of values overflows: x − p + p is x.
 */

/** 0 to 4 are modes of one kind: a running mean that moves by 1/2^mode of each error; 0 is thus the value before. */
const order = [0, 5, 1, 2, 3, 4] as const;
/** Two values back, a straight line. */
export const linear = 5;
/** No mode: all values are 0. */
export const allZero = 7;
/** The best mode is found on so many values, and so many bits of each. */
const tried = 128;
const judgedBits = 20;

/** Zigzag of the errors: 0, −1, 1, −2 … are 0, 1, 2, 3 … @param ends  where each device's values end */
export function predict(values: Int32Array, out: Uint32Array, ends: Int32Array, n: number, mode: number) {
  for (let d = 0, i = 0; i < n; d++) {
    const end = Math.min(n, ends[d]!);
    i = mode === linear ? predictLine(values, out, i, end) : predictMean(values, out, i, end, mode);
  }
}

function predictLine(values: Int32Array, out: Uint32Array, from: number, end: number): number {
  let last = 0;
  let before = 0;
  for (let i = from; i < end; i++) {
    const value = values[i]!;
    const error = (value - 2 * last + before) | 0;
    before = last;
    last = value;
    out[i] = (error << 1) ^ (error >> 31);
  }
  return end;
}

function predictMean(values: Int32Array, out: Uint32Array, from: number, end: number, mode: number): number {
  let mean = 0;
  for (let i = from; i < end; i++) {
    const error = (values[i]! - (mean >> mode)) | 0;
    mean = (mean + error) | 0;
    out[i] = (error << 1) ^ (error >> 31);
  }
  return end;
}

/** The way back. */
export function restore(errors: Uint32Array, out: Int32Array, ends: Int32Array, n: number, mode: number) {
  for (let d = 0, i = 0; i < n; d++) {
    const end = Math.min(n, ends[d]!);
    i = mode === linear ? restoreLine(errors, out, i, end) : restoreMean(errors, out, i, end, mode);
  }
}

function restoreLine(errors: Uint32Array, out: Int32Array, from: number, end: number): number {
  let last = 0;
  let before = 0;
  for (let i = from; i < end; i++) {
    const coded = errors[i]!;
    const value = (((coded >>> 1) ^ -(coded & 1)) + 2 * last - before) | 0;
    before = last;
    last = value;
    out[i] = value;
  }
  return end;
}

function restoreMean(errors: Uint32Array, out: Int32Array, from: number, end: number, mode: number): number {
  let mean = 0;
  for (let i = from; i < end; i++) {
    const coded = errors[i]!;
    const error = (coded >>> 1) ^ -(coded & 1);
    out[i] = (error + (mean >> mode)) | 0;
    mean = (mean + error) | 0;
  }
  return end;
}

/**
 * The mode with the least errors, judged by the first values.
 * @param largest  magnitude of the largest value: of large ones the low bits are left out, so that sums fit
 */
export function bestMode(values: Int32Array, ends: Int32Array, n: number, largest: number): number {
  const some = Math.min(n, tried);
  const coarse = Math.max(0, 32 - Math.clz32(largest) - judgedBits);
  sums.fill(0);
  for (let d = 0, i = 0; i < some; d++) {
    const end = Math.min(some, ends[d]!);
    addErrors(values, i, end, coarse);
    i = end;
  }
  let best = 0;
  for (const mode of order) if (sums[mode]! < sums[best]!) best = mode;
  return best;
}

const sums = new Int32Array(linear + 1);

/** All modes side by side: one after the other would take four times as long. */
function addErrors(values: Int32Array, from: number, end: number, coarse: number): void {
  let [mean1, mean2, mean3, mean4, last, change] = [0, 0, 0, 0, 0, 0];
  let [sum0, sum1, sum2, sum3, sum4, sum5] = [0, 0, 0, 0, 0, 0];
  for (let i = from; i < end; i++) {
    const value = values[i]! >> coarse;
    const error0 = value - last;
    const error1 = value - (mean1 >> 1);
    const error2 = value - (mean2 >> 2);
    const error3 = value - (mean3 >> 3);
    const error4 = value - (mean4 >> 4);
    const error5 = error0 - change;
    last = value;
    change = error0;
    mean1 = (mean1 + error1) | 0;
    mean2 = (mean2 + error2) | 0;
    mean3 = (mean3 + error3) | 0;
    mean4 = (mean4 + error4) | 0;
    sum0 += Math.abs(error0);
    sum1 += Math.abs(error1);
    sum2 += Math.abs(error2);
    sum3 += Math.abs(error3);
    sum4 += Math.abs(error4);
    sum5 += Math.abs(error5);
  }
  sums[0]! += sum0;
  sums[1]! += sum1;
  sums[2]! += sum2;
  sums[3]! += sum3;
  sums[4]! += sum4;
  sums[5]! += sum5;
}
