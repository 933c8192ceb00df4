/** Quality bits. A row's bits are the union of its fields' bits and of what concerns the row as a whole. */
export const Quality = {
  /** A field that the schema names has no value. */
  missing: 1 << 0,
  /** Wrong type, NaN or infinite where a number was due. */
  invalid: 1 << 1,
  /** Outside the field's physical bounds. */
  outOfRange: 1 << 2,
  /** Changed faster than the field's `maxRate`. */
  rateOfChange: 1 << 3,
  /** Has not moved for longer than the field's `stuckAfter`. */
  stuck: 1 << 4,
  /** Row only: time moved by 1 µs because the device already had, or may have had, a row at that time. */
  timeMoved: 1 << 8,
  /** Row only: time went back against the row before it. */
  timeBackwards: 1 << 9,
  /** Row only: the models had not yet seen enough rows to judge. */
  warmUp: 1 << 10,
  /** Row only: read while the gateway's clock was not known to be right, and nothing told how wrong it was. */
  timeUnsure: 1 << 11,
} as const;

export type QualityReason = keyof typeof Quality;

const reasons = Object.entries(Quality) as [QualityReason, number][];

/** The names of the bits that are set, lowest first. */
export function qualityReasons(bits: number): QualityReason[] {
  return reasons.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
}

/** Bits that say a value or time is wrong, as against merely "too early to judge". */
export const badQuality = 0xffff & ~Quality.warmUp;
