import { EdgewardError } from '@edgeward/shared/errors';

export interface AttemptOptions {
  readonly timeoutMs: number;
  readonly deadline: AbortSignal;
  /** Told when the time is up; the attempt goes on until it ends. */
  readonly onLate: (error: EdgewardError) => void;
}

/**
 * Tells the work, by its signal, when its time is up. Ends only with the work, however long that takes: whoever tries
 * again never does so beside it. At the deadline it ends at once, since nobody will.
 * @throws what the work throws; EW_SINK_WRITE if its time was up by then; EW_STOPPED at the deadline
 */
export async function attempt(
  work: (signal: AbortSignal) => Promise<void>,
  { timeoutMs, deadline, onLate }: AttemptOptions,
): Promise<void> {
  const over = new AbortController();
  let late: EdgewardError | undefined;
  const timer = setTimeout(() => {
    late = new EdgewardError('EW_SINK_WRITE', `A write has not ended within ${timeoutMs / 1000} s.`);
    onLate(late);
    over.abort(late);
  }, timeoutMs);
  let cut = () => {};
  const cutting = new Promise<never>((_, reject) => {
    cut = () => {
      const stopped = new EdgewardError('EW_STOPPED', 'A write was cut off at the end.');
      over.abort(stopped);
      reject(stopped);
    };
  });
  deadline.addEventListener('abort', cut, { once: true });
  if (deadline.aborted) cut();
  try {
    const running = Promise.resolve().then(() => work(over.signal));
    await Promise.race([running, cutting]);
  } catch (error) {
    if (late && !deadline.aborted) throw new EdgewardError('EW_SINK_WRITE', late.message, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    deadline.removeEventListener('abort', cut);
  }
}
