/**
 * Waits with a signal that fires on stop, or when it is woken.
 * @param offer  gets what wakes it
 */
export async function woken(
  wait: (signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
  offer: (wake: () => void) => void,
): Promise<void> {
  if (stop.aborted) return;
  const over = new AbortController();
  const wake = () => over.abort();
  offer(wake);
  stop.addEventListener('abort', wake);
  try {
    await wait(over.signal);
  } finally {
    stop.removeEventListener('abort', wake);
  }
}
