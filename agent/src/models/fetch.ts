/**
 * Fetches a bundle beside the readings. One piece is asked for at a time; a piece is as large as the way takes within
 * a fraction of a second; then the way is left alone for as long as the piece kept it busy, longer while blocks wait.
 */
import { Backoff } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError, isRetryable, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { bundleIdOf, modelLimits } from '@edgeward/shared/models/manifest';
import type { ModelChannel } from './channel.js';
import type { Incoming } from './incoming.js';

/** So little that the first pieces tell how long the way itself is: 0.1 s of a modem's 56 kbit/s. */
const firstBytes = 512;
const leastBytes = 256;
/** A piece that takes so much longer than the way itself is followed by a smaller one; a quarter of it by a larger one. */
const pieceMs = 200;
/** While blocks wait for room on the way, a piece goes only this often. */
const crowdedMs = 5000;
const longestPauseMs = 5000;

export interface FetchOptions {
  readonly channel: Pick<ModelChannel, 'get' | 'untilLinked' | 'crowded'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** After every piece. */
  readonly onProgress: () => void;
}

/** How much the way takes at a time, found out as in LEDBAT (RFC 6817): by what is added to its shortest time. */
export class Pace {
  bytes = firstBytes;
  #shortestMs = Number.POSITIVE_INFINITY;

  /**
   * @param bytes  of the piece; the last one of a file may be shorter, and says nothing of longer ones
   * @returns how long it kept the way busy, ms
   */
  took(ms: number, bytes: number): number {
    this.#shortestMs = Math.min(this.#shortestMs, ms);
    const busyMs = ms - this.#shortestMs;
    if (bytes < this.bytes) return busyMs;
    if (busyMs > pieceMs) this.bytes = Math.max(leastBytes, this.bytes / 2);
    else if (busyMs < pieceMs / 4) this.bytes = Math.min(modelLimits.maxChunkBytes, this.bytes * 2);
    return busyMs;
  }
}

/** So often in a row a piece may not come: then others have their turn. */
const maxFailures = 6;

/**
 * Until all of it is there; waits through cuts.
 * @throws what the collector says where trying again is of no use, or has been for a while; EW_STOPPED
 */
export async function fetchBundle(
  incoming: Incoming,
  { channel, clock, log, onProgress }: FetchOptions,
  stop: AbortSignal,
): Promise<void> {
  const bundle = bundleIdOf(incoming.manifest);
  const pace = new Pace();
  const backoff = new Backoff(500, 60_000);
  let failures = 0;
  for (let { next } = incoming; next; { next } = incoming) {
    await channel.untilLinked(stop);
    if (stop.aborted) throw new EdgewardError('EW_STOPPED');
    const { file, offset, left } = next;
    const beganMs = clock.monotonic();
    try {
      const data = await channel.get({ bundle, file, offset, bytes: Math.min(pace.bytes, left) }, stop);
      const busyMs = pace.took(clock.monotonic() - beganMs, data.length);
      await incoming.write(data);
      backoff.reset();
      failures = 0;
      onProgress();
      await clock.sleep(Math.min(busyMs, longestPauseMs), stop);
      if (channel.crowded) await clock.sleep(crowdedMs, stop);
    } catch (error) {
      failures += 1;
      if (stop.aborted || !isRetryable(error) || failures >= maxFailures) throw error;
      const waitMs = backoff.next();
      log.debug({ error: messageOf(error), file, offset, waitMs }, 'a piece of a model did not come');
      await clock.sleep(waitMs, stop);
    }
  }
}
