import { EdgewardError } from '../errors.js';

export const wireVersion = 1;
/** Version 1 and the context of a trace in its header. */
export const tracedWireVersion = 2;

/** A block beyond any of these is refused before anything is allocated for what it claims to hold. */
export const wireLimits = {
  maxBytes: 16 * 1024 * 1024,
  maxRows: 65_536,
  maxFields: 1024,
  maxDevices: 4096,
  /** Rows × fields: what the columns of one block come to in memory is 8 bytes each, and a little. */
  maxReadings: 4 * 1024 * 1024,
  maxVoids: 4096,
  /** Evidence as JSON; of more, every device keeps its first before any keeps a second. */
  maxEvidenceBytes: 256 * 1024,
} as const;

export function corrupt(why: string): EdgewardError {
  return new EdgewardError('EW_BLOCK_CORRUPT', `It was refused because ${why}.`);
}
