/** Whether an error, or what caused it, is that there is no space left. */
export function isDiskFull(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause)
    if (
      (e as { code?: unknown }).code === 'ENOSPC' ||
      /no space left|disk full|quota exceeded/i.test(e.message)
    )
      return true;
  return false;
}
