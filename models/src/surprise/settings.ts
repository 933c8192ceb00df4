/** How fields that no model looks at are watched. Their surprises themselves: `metricSettings`. */
export const surpriseSettings = {
  /** Fast fields are looked at in means over so long. */
  bucketMs: 300_000,
  /** A field whose values are farther apart is looked at value by value. */
  slowStepMs: 150_000,
  /** A mean of so much fewer values than usual says little. */
  leastShare: 1 / 3,
  /** Means or values that are only learned from, and over how long. */
  warmUp: { points: 200, ms: 86_400_000 },
  /** A field with fewer different values is a state or a constant: nobody is surprised by it. */
  leastValues: { whole: 12, other: 5 },
  /** A field that has risen so many times and never fallen is a counter. */
  counterRises: 50,
  /** A counter that falls below this share of itself has begun anew; one that falls less is none. */
  counterReset: 0.5,
  /**
   * No alarm below this mean surprise: so much for each decade of points among which one false alarm may be, less an
   * offset. Its own past values alone promise too much, as their tail is not quite exponential.
   */
  leastSurprise: { least: 1.35, aDecade: 2 / 3, offset: 0.6 },
  /** An alarm of a fast field goes on while it is at least so much of what lets one begin. */
  goesOn: 0.75,
} as const;
