/** The channels of an incident: what each flagged row named, added up. */
import type { Finding, FoundChannel } from './findings.js';
import type { IncidentChannel } from './incident.js';

const maxChannels = 12;

/**
 * Adds one row. A channel's weight is its mean share over all explained rows, so it falls in those that do
 * not name it; value and direction are those of the row in which it was farthest from usual.
 * @param rowsBefore  explained rows that are already in `channels`
 */
export function addChannels(
  channels: readonly IncidentChannel[],
  found: readonly FoundChannel[],
  rowsBefore: number,
  timeMs: number,
): IncidentChannel[] {
  const named = new Map(found.map(channel => [channel.field, channel]));
  const share = (mean: number, now: number) => (mean * rowsBefore + now) / (rowsBefore + 1);
  const merged = channels.map(known => {
    const now = named.get(known.field);
    named.delete(known.field);
    const weight = share(known.weight, now?.weight ?? 0);
    return now ? { ...worse(known, now), weight, rows: known.rows + 1 } : { ...known, weight };
  });
  for (const now of named.values())
    merged.push({ ...now, weight: share(0, now.weight), rows: 1, firstMs: timeMs });
  return merged.sort((a, b) => b.weight - a.weight).slice(0, maxChannels);
}

function worse(known: IncidentChannel, now: FoundChannel): IncidentChannel {
  if (deviation(now) < deviation(known)) return known;
  const { of, limit, ...rest } = known;
  return {
    ...rest,
    value: now.value,
    unit: now.unit,
    direction: now.direction,
    ...(now.expected && { expected: now.expected }),
    ...(now.of !== undefined && { of: now.of }),
    ...(now.limit !== undefined && { limit: now.limit }),
  };
}

/** Distance from the usual range, in widths of that range, or from a rule's limit, in limits; 0 where none is known. */
function deviation({ value, expected, limit }: FoundChannel): number {
  if (value === null) return 0;
  if (!expected)
    return limit === undefined ? 0 : Math.abs(value - limit) / Math.max(Math.abs(limit), Number.EPSILON);
  const [low, high] = expected;
  const outside = Math.max(low - value, value - high, 0);
  return outside / Math.max(high - low, Number.EPSILON);
}

/** One row's channels over all its findings; the strongest finding's word counts where two name the same. */
export function channelsOf(findings: readonly Finding[]): FoundChannel[] {
  const byField = new Map<string, FoundChannel>();
  for (const finding of findings)
    for (const channel of finding.channels)
      if (!byField.has(channel.field)) byField.set(channel.field, channel);
  const all = [...byField.values()];
  const sum = all.reduce((total, channel) => total + channel.weight, 0);
  return sum > 1 ? all.map(channel => ({ ...channel, weight: channel.weight / sum })) : all;
}

/** Those that carry the incident, for titles and severity. */
export function mainChannels<T extends { readonly weight: number }>(channels: readonly T[]): T[] {
  const least = Math.max(0.1, (channels[0]?.weight ?? 0) / 3);
  return channels.filter(channel => channel.weight >= least);
}

/**
 * Whether a forest calls it unusual though its value lies in its usual range: it is, beside the other channels. `high`
 * said of such a value would not be believed. Other detectors judge something else than the value alone.
 */
export function isOddTogether(
  { value, expected }: Pick<IncidentChannel, 'value' | 'expected'>,
  detector: string,
): boolean {
  if (detector !== 'forest' || value === null || expected === undefined) return false;
  return value >= expected[0] && value <= expected[1];
}
