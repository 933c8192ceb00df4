/** Gateways whose text is kept; more of them at once only cost what they cost without. */
const maxKept = 20_000;
const kept = new Map<string, { readonly epoch: string; readonly key: string }>();

/** `gateway/epoch`, the same text for every block of it: a text that is put together anew is hashed anew by each map. */
export function epochKey(gateway: string, epoch: string): string {
  const known = kept.get(gateway);
  if (known?.epoch === epoch) return known.key;
  if (kept.size >= maxKept) kept.clear();
  const key = `${gateway}/${epoch}`;
  kept.set(gateway, { epoch, key });
  return key;
}
