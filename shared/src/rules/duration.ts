/** Durations as rules have them: `500ms`, `30s`, `10m`, `1.5h`, `2d`. */
const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type Unit = keyof typeof units;

/** Rules that look farther back would seldom be full: each restart of the agent begins anew. */
export const maxDurationMs = 7 * units.d;

const form = /^(.*?)(ms|s|m|h|d)$/;

/** @param text  as the tokenizer takes it: digits with or without a point, then a unit */
export function parseDuration(text: string): number {
  const [, amount, unit] = form.exec(text)!;
  return Number(amount) * units[unit as Unit];
}

/** In the largest unit that needs no fraction; parses to the same number. */
export function printDuration(ms: number): string {
  for (const [unit, size] of Object.entries(units)) {
    const amount = ms / size;
    if (Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return `${ms}ms`;
}
