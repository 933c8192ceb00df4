/** Goes up with every change of `channelSettings` that a trained model depends on. */
export const settingsVersion = 1;

/**
 * The one set of settings for device rows of several channels. Windows are counted in rows. Chosen on half of the
 * public SKAB files; each may move by a third without F1 falling by more than 0.02.
 */
export const channelSettings = {
  /** Of each view: rows a channel is averaged over, rows its distance is averaged over. */
  views: [
    { window: 1, smoothing: 1 },
    { window: 5, smoothing: 20 },
    { window: 10, smoothing: 20 },
    { window: 20, smoothing: 10 },
  ],
  /**
   * What the forest sees: channels averaged over so many rows; its score averaged over so many; and so many times its
   * highest score of the training rows, from their median, weighs like a distance at the edge of the usual.
   */
  forest: { window: 5, smoothing: 20, edge: 1.7 },
  /** A wandering channel is taken as its change over so many rows. */
  changeRows: 30,
  /**
   * A channel wanders if its 100-row changes vary so many times more than its 10-row changes. Noise around a level
   * gives 1, a random walk 10.
   */
  wanderingRatio: 4,
  /** A channel that was seen to come and go so often has shown all its levels, and does not wander. */
  knownCrossings: 40,
  /**
   * Covariances between channels are taken for so much smaller than measured where there are at most so many rows, as
   * few rows overstate them; with more rows for less.
   */
  shrinkage: { share: 0.3, rows: 400 },
  /** Added to each variance, in units of a standardised channel. */
  ridge: 1e-3,
  /** No value counts as farther from its mean than so many standard deviations. */
  farthest: 50,
  /**
   * All parts together are their mean of this power: 1 would let one part that stands out drown among the others, and
   * a large one would be as unsteady as the largest part.
   */
  power: 4,
  /** Alarms begin at so many times what training rows reach, if there are few; later where the budget says so. */
  leastRatio: 1.75,
  /** The same if there are very many. */
  leastKnownRatio: 1.2,
  /** An alarm has passed when the distance has come down to this share of its height, wherever it now is. */
  recovery: 0.5,
  /** By this factor a row what an alarm left behind as usual is forgotten. */
  forgetting: 0.995,
} as const;
