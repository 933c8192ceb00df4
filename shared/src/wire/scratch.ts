/**
 * Working memory of the codec, for one block at a time: nothing here outlives a call, and no call awaits. As long as
 * the longest column; the system gives pages only as they are touched.
 */
import { wireLimits } from './limits.js';

/** Values of a column, device after device. */
export const gathered = new Float64Array(wireLimits.maxRows);
/** The whole numbers that a column comes to. */
export const wholes = new Float64Array(wireLimits.maxRows);
/** What is coded of them: differences to each device's first. */
export const lane = new Float64Array(wireLimits.maxRows);
/** The same as 32 bits, and what prediction leaves of them. */
export const values32 = new Int32Array(wireLimits.maxRows);
export const residuals32 = new Uint32Array(wireLimits.maxRows);
/** Of columns of small numbers: the same differences, from the start in 32 bits. */
export const differences32 = new Int32Array(wireLimits.maxRows);
/** Places of values within a column that are coded apart. */
export const exceptions = new Uint16Array(wireLimits.maxRows);
/** Small numbers: quality bits, booleans, indexes of texts. */
export const smalls = new Uint16Array(wireLimits.maxRows);
/** Which device each row is of, as a place in the header's list. */
export const places = new Uint16Array(wireLimits.maxRows);
/** Index of each row, device after device. */
export const rowOrder = new Uint16Array(wireLimits.maxRows);
/** The bits of values, two words each. */
export const words32 = new Uint32Array(2 * wireLimits.maxRows);
