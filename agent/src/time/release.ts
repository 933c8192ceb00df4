/** When this release was made, ms since Unix epoch: a clock that shows an earlier time is wrong. Set at each release. */
export const releasedMs = Date.UTC(2026, 10, 1);
