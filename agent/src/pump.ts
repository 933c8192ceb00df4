import { Backoff } from '@edgeward/shared/clock';
import type { Clock, Outbox, RecordBatch, Source, Stage } from '@edgeward/shared/contracts';
import { hasCode, isRetryable, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';

export interface PumpWatcher {
  state(state: 'reading' | 'waiting' | 'failed' | 'ended'): void;
  batch(processed: RecordBatch): void;
}

export interface PumpOptions {
  readonly name: string;
  readonly source: Source;
  readonly stages: readonly Stage[];
  readonly outbox: Pick<Outbox, 'append'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whoever counts; mostly nobody. */
  readonly watcher?: PumpWatcher | undefined;
  /** The source gave up for good. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Moves one source's batches into the outbox until the input ends or `stop` fires; re-enters the source after a
 * retryable error.
 */
export async function pump(options: PumpOptions, stop: AbortSignal, deadline: AbortSignal): Promise<void> {
  const { clock, log, watcher } = options;
  const process = once(options.stages);
  const backoff = new Backoff(500, 60_000);
  while (!stop.aborted) {
    try {
      watcher?.state('reading');
      await readOn({ ...options, process }, stop, deadline, () => backoff.reset());
      watcher?.state('ended');
      return;
    } catch (error) {
      if (hasCode(error, 'EW_STOPPED')) return;
      if (!isRetryable(error)) {
        log.error({ error: messageOf(error) }, 'source has stopped');
        watcher?.state('failed');
        options.onFailure?.(error);
        return;
      }
      watcher?.state('waiting');
      const waitMs = backoff.next();
      log.warn({ error: messageOf(error), waitMs: Math.round(waitMs) }, 'source failed; trying again');
      await clock.sleep(waitMs, stop);
    }
  }
}

async function readOn(
  options: PumpOptions & { process: (batch: RecordBatch) => Promise<RecordBatch> },
  stop: AbortSignal,
  deadline: AbortSignal,
  onBatch: () => void,
): Promise<void> {
  const { name, source, outbox } = options;
  for await (const read of source.read(stop)) {
    const position = source.position?.();
    const batch = read.row.length > 0 ? await options.process(read) : read;
    const origin = { source: name, position, acknowledges: source.acknowledges };
    const { durable } = await outbox.append(batch, origin, deadline);
    if (source.acknowledges) await durable; // a polled source never waits for network or disk
    options.watcher?.batch(batch);
    onBatch();
  }
}

/**
 * Runs a batch through the stages, once: a source hands the same batch over again when storing it failed, and
 * stages remember what they have seen.
 */
function once(stages: readonly Stage[]): (batch: RecordBatch) => Promise<RecordBatch> {
  let last: { read: RecordBatch; processed: RecordBatch } | undefined;
  return async read => {
    if (last?.read === read) return last.processed;
    let processed = read;
    for (const stage of stages) processed = await stage.process(processed);
    last = { read, processed };
    return processed;
  };
}
